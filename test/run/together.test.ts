import { pipeline, push, start } from "millrace";
import { expect, test } from "vitest";

const SOON = { timeout: 20_000 };

interface Step {
  readonly key: string;
  readonly n: number;
}

test("dead letters put back on an ordered stage come behind what is there, one call of their key at a time", async () => {
  const p = pipeline("replay-order");
  let isBroken = true;
  const done: Step[] = [];
  const running = new Map<string, number>();
  let most = 0;
  const feed = p.source("feed", push<Step>());
  feed.to(
    p.sink(
      "out",
      async (step: Step) => {
        const count = (running.get(step.key) ?? 0) + 1;
        running.set(step.key, count);
        most = Math.max(most, count);
        await new Promise((resolve) => setTimeout(resolve, 1));
        running.set(step.key, count - 1);
        if (isBroken && step.n % 3 === 1) throw new Error("broken");
        done.push(step);
      },
      { orderBy: ({ key }) => key, instances: 2, concurrency: 4, retry: { attempts: 1 }, breaker: false },
    ),
  );
  const handle = await start(p);
  const steps = Array.from({ length: 60 }, (_, i) => ({ key: `k${i % 5}`, n: Math.floor(i / 5) }));
  await handle.push("feed", steps);
  await expect.poll(() => handle.dead.count(), SOON).toBe(20);
  await expect.poll(() => done.length, SOON).toBe(40);
  isBroken = false;
  const [{ replayed }] = await Promise.all([
    handle.dead.replay({}),
    handle.push(
      "feed",
      steps.slice(0, 5).map(({ key }) => ({ key, n: 12 })),
    ),
  ]);
  await handle.close("feed");
  const { status, stages, deadLetters } = await handle.done;

  expect([status, replayed, deadLetters]).toEqual(["completed", 20, 0]);
  expect(stages.out).toMatchObject({ accepted: 85, completed: 65, dead: 20 });
  expect(most).toBe(1);
  for (let k = 0; k < 5; k++) {
    const order = done.filter(({ key }) => key === `k${k}`).map(({ n }) => n);
    expect(order.slice(0, 8)).toEqual([0, 2, 3, 5, 6, 8, 9, 11]);
    expect(order.slice(8).sort((a, b) => a - b)).toEqual([1, 4, 7, 10, 12]);
  }
});

test("pushes wait when what they lead to is full, and so is their source; none is lost or stored twice", async () => {
  const p = pipeline("full-push");
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const seen: number[] = [];
  const feed = p.source("feed", push<number>(), { capacity: { items: 20 } });
  feed.to(
    p.sink(
      "out",
      async (n: number) => {
        await gate;
        seen.push(n);
      },
      { capacity: { items: 10 }, concurrency: 2 },
    ),
  );
  const handle = await start(p);
  let stored = 0;
  const pushes: Promise<unknown>[] = [];
  for (let n = 0; n < 200; n++) {
    pushes.push(handle.push("feed", n).then(() => stored++));
    // n.b. pushes of one turn are one transaction, and not halted in its midst.
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const before = stored;
  expect(before).toBeGreaterThanOrEqual(20);
  expect(before).toBeLessThan(100);
  open();
  await Promise.all(pushes);
  await handle.close("feed");
  const { status, stages } = await handle.done;

  expect(status).toBe("completed");
  expect(stages.out).toMatchObject({ accepted: 200, completed: 200 });
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
});
