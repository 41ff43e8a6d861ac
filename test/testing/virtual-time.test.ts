import { setTimeout as sleep } from "node:timers/promises";
import { pipeline, RetryLater } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";

const START = Date.UTC(2026, 0, 1);

test("hours of back-off, of waiting for a batch and of RetryLater take no real time", async () => {
  const p = pipeline("slow");
  const seen: [number, number][] = [];
  p.source("feed", () => ["a", "later"])
    .to(
      p.stage(
        "flaky",
        (item: string, ctx) => {
          if (item === "later" && ctx.item.attempt === 1) throw new RetryLater(3_600_000);
          if (ctx.item.attempt < 3) throw new Error("not yet");
          return item;
        },
        {
          retry: { attempts: 3, backoff: { initialMs: 60_000, factor: 2, maxMs: 3_600_000, jitter: "none" } },
        },
      ),
    )
    .to(
      p.sink("out", (items: string[], ctx) => void seen.push([items.length, ctx.items.length]), {
        batch: { size: 10, withinMs: 7_200_000 },
      }),
    );
  const began = performance.now();
  const result = await simulate(p, { startAt: "2026-05-01T00:00:00Z" });

  expect(performance.now() - began).toBeLessThan(10_000);
  expect(result.retries.map(({ item, atMs, delayMs }) => [item, atMs, delayMs])).toEqual([
    ["a", 0, 60_000],
    ["later", 0, 3_600_000],
    ["a", 60_000, 120_000],
    ["later", 3_600_000, 120_000],
  ]);
  // The batch began with "a"; the second came while it waited.
  expect(seen).toEqual([[2, 2]]);
  expect(result.calls.at(-1)).toMatchObject({ stage: "out", items: ["a", "later"] });
  expect(result.durationMs).toBeGreaterThanOrEqual(3_720_000);
  expect(Date.UTC(2026, 4, 1)).toBe(Date.parse("2026-05-01T00:00:00Z"));
});

test("functions that wait for something real have their time, and virtual time does not pass meanwhile", async () => {
  const p = pipeline("real");
  p.source("feed", async function* () {
    await sleep(5);
    yield 1;
    await sleep(5);
    yield 2;
  })
    .to(
      p.stage(
        "wait",
        async function* (n: number) {
          await sleep(20);
          yield n;
          await sleep(20);
          yield -n;
        },
        { timeoutMs: 5, graceMs: 5, concurrency: 2 },
      ),
    )
    .to(p.sink("out", async (_: number) => await sleep(10), { timeoutMs: 5, graceMs: 5 }));
  const result = await simulate(p);

  expect(result).toMatchObject({ status: "completed", dead: [], retries: [] });
  expect(result.received.out).toHaveLength(4);
  expect(result.durationMs).toBe(0);
});

test("a call that never settles meets its virtual time-out, and its signal", async () => {
  const p = pipeline("hanging");
  const aborted: string[] = [];
  p.source("feed", () => ["hears", "deaf", "fine"]).to(
    p.sink(
      "out",
      (item: string, ctx) => {
        if (item === "fine") return undefined;
        return new Promise<void>((_, reject) => {
          if (item === "hears")
            ctx.signal.addEventListener("abort", () => {
              aborted.push(item);
              reject(ctx.signal.reason);
            });
        });
      },
      { timeoutMs: 60_000, graceMs: 10_000, retry: { attempts: 1 } },
    ),
  );
  const result = await simulate(p, { patienceMs: 20 });

  expect(aborted).toEqual(["hears"]);
  expect(result.dead.map(({ item, reason, deadAt }) => [item, reason, deadAt - START])).toEqual([
    ["hears", "timeout", 60_000],
    ["deaf", "timeout", 130_000],
  ]);
  expect(result.stages.out).toMatchObject({ accepted: 3, completed: 1, dead: 2 });
});

test("a source that never ends is stopped when its time is up", async () => {
  const p = pipeline("endless");
  let drained: string | undefined;
  p.source("feed", async function* (ctx) {
    yield 1;
    await new Promise<void>((resolve) => {
      ctx.onDrain((reason) => {
        drained = reason;
        resolve();
      });
    });
  }).to(p.sink("out", (_: number) => undefined));
  const result = await simulate(p, { until: "1h", patienceMs: 20 });

  expect(result.status).toBe("stopped");
  expect(result.received.out).toEqual([1]);
  expect(drained).toBe("stopped");
});

test("until stops a run in the middle; what is left is neither lost nor dead", async () => {
  const p = pipeline("until");
  p.source("feed", () => [1, 2]).to(
    p.sink(
      "out",
      (n: number) => {
        if (n === 2) throw new RetryLater("2m");
      },
      { retry: { attempts: 100 } },
    ),
  );
  const result = await simulate(p, { until: "5m" });

  expect(result).toMatchObject({ status: "stopped", durationMs: 300_000, dead: [] });
  expect(result.stages.out).toMatchObject({ accepted: 2, completed: 1 });
  expect(result.retries.map(({ atMs }) => atMs)).toEqual([0, 120_000, 240_000]);
});

test("a run without an end is given up, and its seed is told", async () => {
  const p = pipeline("forever");
  const round = p.stage("round", (n: number) => n);
  p.source("feed", () => [1]).to(round);
  round.to(round);
  round.to(
    p.sink("out", (_: number) => undefined),
    { when: () => false },
  );
  await expect(simulate(p, { maxCalls: 500, seed: 42 })).rejects.toMatchObject({
    code: "MR_SIMULATION_ENDLESS",
    message: expect.stringContaining("seed 42"),
  });
});

test("a source that throws is started again from its token, and fails the run when it goes on", async () => {
  const p = pipeline("resumed");
  let lives = 0;
  p.source("feed", function* (ctx) {
    lives++;
    for (let i = Number(ctx.resume ?? 0); i < 4; i++) {
      if (i === 2 && lives === 1) throw new Error("once");
      yield i;
      ctx.checkpoint(i + 1);
    }
  }).to(p.sink("out", (_: number) => undefined));
  const result = await simulate(p);
  const failed = await simulate(p, {
    feed: () => {
      throw new Error("no items today");
    },
  });

  expect(result.received.out).toEqual([0, 1, 2, 3]);
  expect(failed).toMatchObject({ status: "failed", error: { code: "MR_SOURCE_FAILED" } });
});
