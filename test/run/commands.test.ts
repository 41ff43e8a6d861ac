import { pipeline, push, type RunEvent, start } from "millrace";
import { expect, test } from "vitest";

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test("pause, resume and scale: what is in hand is finished, the rest waits, nothing is lost or repeated", async () => {
  const p = pipeline("held");
  const begun: number[] = [];
  const done: number[] = [];
  const told: string[] = [];
  const feed = p.source("feed", function* () {
    yield* numbers(400);
  });
  const work = p.stage(
    "work",
    async (n: number, ctx) => {
      begun.push(n);
      ctx.onDrain((reason) => told.push(reason));
      await new Promise((resolve) => setTimeout(resolve, 2));
      return n;
    },
    { concurrency: 2 },
  );
  feed.to(work).to(p.sink("out", (n: number) => void done.push(n)));
  const handle = await start(p);
  const events: RunEvent[] = [];
  const listening = (async () => {
    for await (const event of handle.events()) events.push(event);
  })();
  await until(() => begun.length > 20);
  await handle.pause("work");
  await until(async () => told.includes("paused") && done.length === begun.length);
  const held = begun.length;
  expect(held).toBeLessThan(400);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(begun).toHaveLength(held);
  expect((await handle.status()).status).toBe("running");
  await handle.scale("work", 3);
  await handle.pause();
  expect((await handle.status()).status).toBe("paused");
  await handle.resume();
  await handle.scale("work", 1);
  const result = await handle.done;
  await listening;

  expect(result).toMatchObject({ status: "completed", repeats: {} });
  expect([...done].sort((a, b) => a - b)).toEqual(numbers(400));
  expect(begun).toHaveLength(400);
  expect(events.map((event) => ("status" in event ? `${event.kind} ${event.status}` : event.kind))).toEqual(
    expect.arrayContaining(["stage paused", "scaled", "status paused", "stage running", "status completed"]),
  );
  for (const command of [() => handle.pause(), () => handle.resume("work"), () => handle.scale("work", 2)])
    await expect(command()).rejects.toMatchObject({ code: "MR_RUN_OVER" });
});

test("stop with now cancels what is in hand: its signal aborts, its items are not charged and come again", async () => {
  const p = pipeline("cancelled");
  const attempts: number[] = [];
  let aborted = 0;
  let isQuick = false;
  p.source("feed", () => numbers(20)).to(
    p.sink(
      "out",
      (_n: number, ctx) => {
        attempts.push(ctx.item.attempt);
        if (isQuick) return undefined;
        return new Promise((_resolve, reject) => {
          ctx.signal.addEventListener("abort", () => {
            aborted++;
            reject(ctx.signal.reason);
          });
        });
      },
      { concurrency: 4 },
    ),
  );
  const handle = await start(p);
  await until(() => attempts.length === 4);
  await handle.stop({ stage: "out", now: true });
  await until(() => aborted === 4);
  isQuick = true;
  await expect(handle.scale("feed", 2)).rejects.toMatchObject({ code: "MR_STAGE_STATE" });
  await expect(handle.pause("none")).rejects.toMatchObject({ code: "MR_RUN_UNKNOWN" });
  await expect(handle.scale("out", 0)).rejects.toMatchObject({ code: "MR_USAGE" });
  await handle.resume("out");
  const result = await handle.done;
  expect(result).toMatchObject({ status: "completed", repeats: { "drain-cut-short": 4 } });
  expect(result.stages.out).toMatchObject({ accepted: 20, completed: 20, dead: 0 });
  expect(attempts).toEqual(new Array(24).fill(1));
});

test("a paused source waits before its next item and does not start over; one whose calls never end is given up", async () => {
  const p = pipeline("waits");
  const seen: number[] = [];
  const feed = p.source("feed", async function* () {
    for (const n of numbers(1_000_000)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      yield n;
    }
  });
  feed.to(p.sink("out", (n: number) => void seen.push(n)));
  feed.to(p.sink("stuck", () => new Promise(() => undefined)));
  const handle = await start(p);
  await until(() => seen.length > 5);
  await handle.pause("feed");
  const held = seen.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(seen.length - held).toBeLessThan(30);
  await handle.resume("feed");
  await until(() => seen.length > held + 30);
  await handle.stop({ now: true });
  expect((await handle.done).status).toBe("stopped");
  expect(seen).toEqual(numbers(seen.length));
});

test("a stage may be stopped by its name, and only that one stops; what a run does not know is refused", async () => {
  const p = pipeline("named");
  const got: number[] = [];
  p.source("feed", push<number>()).to(p.sink("work", (n: number) => void got.push(n)));
  await expect(start(p, { instnaces: { work: 2 } } as never)).rejects.toMatchObject({
    code: "MR_USAGE",
    message: expect.stringContaining("there is no option instnaces; there are params, input, data"),
  });
  const handle = await start(p);
  await handle.stop("work");
  await handle.push("feed", [1, 2]);
  await handle.close("feed");
  expect(await handle.status()).toMatchObject({ stages: { work: { completed: 0 } } });
  await handle.resume("work");
  expect((await handle.done).status).toBe("completed");
  expect(got).toEqual([1, 2]);
});
