import fc from "fast-check";
import { many, pipeline, push } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";

/** feed → double (two outputs an item) → out. */
function doubled() {
  const p = pipeline("doubled");
  p.source("feed", (): number[] => [])
    .to(p.stage("double", (n: number) => many([n, n + 1_000])))
    .to(p.sink("out", (_: number) => undefined));
  return p;
}

const sorted = (items: readonly unknown[] | undefined): unknown[] =>
  [...(items ?? [])].sort((a, b) => Number(a) - Number(b));

test("a redelivered item is worked on twice, counted, and its outputs are stored once", async () => {
  const p = pipeline("again");
  const seen: string[] = [];
  p.source("feed", () => ["a", "b", "c"])
    .to(
      p.stage("work", (item: string, ctx) => {
        seen.push(`${item} ${ctx.item.attempt} ${ctx.item.idempotencyKey}`);
        return item;
      }),
    )
    .to(p.sink("out", (_: string) => undefined));
  const result = await simulate(p, { faults: { redeliver: { work: [2] } } });

  expect(seen.map((line) => line.slice(0, 3))).toEqual(["a 1", "b 1", "b 1", "c 1"]);
  expect(seen[1]).toBe(seen[2]);
  expect(result.received).toEqual({ work: ["a", "b", "c"], out: ["a", "b", "c"] });
  expect(result.repeats).toEqual({ "streams-restarted": 1 });
  expect(result.faults).toMatchObject([{ kind: "redeliver", stage: "work" }]);
});

test("redeliver: 1 gives every item of every stage and every batch twice", async () => {
  const p = pipeline("twice");
  const batches: number[][] = [];
  p.source("feed", () => [1, 2, 3, 4])
    .to(
      p.stage("slow", async (n: number) => {
        await Promise.resolve();
        return n;
      }),
    )
    .to(p.sink("out", (items: number[]) => void batches.push(items), { batch: { size: 2, withinMs: 50 } }));
  const result = await simulate(p, { faults: { redeliver: 1 } });

  const calls = result.calls.filter(({ stage }) => stage === "slow").map(({ items }) => items[0]);
  expect(sorted(calls)).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  expect(sorted(batches.flat())).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  expect(result.stages.out).toMatchObject({ accepted: 4, completed: 4 });
  expect(result.repeats).toEqual({ "streams-restarted": 8 });
});

test.each([false, true])("an instance that dies (after the work: %s) loses nothing", async (after) => {
  const life: string[] = [];
  const p = pipeline("dying");
  p.source("feed", () => [1, 2, 3, 4])
    .to(
      p.stage("work", {
        setup: () => void life.push("setup"),
        run: (n: number) => {
          life.push(`run ${n}`);
          return n;
        },
        teardown: () => void life.push("teardown"),
      }),
    )
    .to(p.sink("out", (_: number) => undefined));
  const result = await simulate(p, { faults: { killAt: { work: { item: 3, after } } } });

  expect(sorted(result.received.out)).toEqual([1, 2, 3, 4]);
  expect(result.status).toBe("completed");
  expect(result.repeats).toEqual({ "instance-died": 1 });
  // The dead one has no teardown; its successor, and the instance in which the suspect ran alone, have.
  expect(life.filter((line) => line === "setup")).toHaveLength(3);
  expect(life.filter((line) => line === "teardown")).toHaveLength(2);
  expect(life.filter((line) => line === "run 3")).toHaveLength(after ? 2 : 1);
  const instances = result.calls.filter(({ items }) => items[0] === 3).map(({ instance }) => instance);
  expect(new Set(instances).size).toBeGreaterThanOrEqual(2);
});

test("an item that always ends its process is found and dead-lettered, its neighbours are not", async () => {
  const buried: unknown[] = [];
  const p = pipeline("poison");
  p.source("feed", () => Array.from({ length: 30 }, (_, i) => i)).to(
    p.sink("out", async (_: number) => undefined, {
      concurrency: 4,
      onFailed: (item, error) => void buried.push([item, (error as Error & { code?: string }).code]),
    }),
  );
  const result = await simulate(p, {
    faults: { killAt: { out: (n: number) => n === 7 || n === 20 } },
  });

  expect(result.stages.out).toMatchObject({ accepted: 30, completed: 28, dead: 2 });
  expect(result.dead.map(({ item, reason }) => [item, reason]).sort()).toEqual([
    [20, "killed"],
    [7, "killed"],
  ]);
  expect(sorted(buried.map((entry) => (entry as unknown[])[0]))).toEqual([7, 20]);
  expect(result.calls.filter(({ items }) => items[0] === 7)).toHaveLength(2);
});

test("a source that dies goes on from its token", async () => {
  const p = pipeline("source-dies");
  p.source("feed", function* (ctx) {
    for (let i = Number(ctx.resume ?? 0); i < 10; i++) {
      yield i;
      ctx.checkpoint(i + 1);
    }
  }).to(p.sink("out", (_: number) => undefined));
  const result = await simulate(p, { faults: { killAt: { feed: 6 } } });

  expect(result.status).toBe("completed");
  expect([...new Set(sorted(result.received.out))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(result.faults).toMatchObject([{ kind: "kill", stage: "feed" }]);
});

test("whatever dies and breaks, every item comes out, and each stage stores what it puts out once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        seed: fc.integer({ min: 1, max: 1_000_000 }),
        items: fc.integer({ min: 0, max: 40 }),
        instances: fc.integer({ min: 1, max: 3 }),
        share: fc.double({ min: 0, max: 0.5, noNaN: true }),
        kills: fc.array(fc.record({ item: fc.integer({ min: 1, max: 40 }), after: fc.boolean() }), {
          maxLength: 4,
        }),
      }),
      async ({ seed, items, instances, share, kills }) => {
        const feed = Array.from({ length: items }, (_, i) => i);
        const result = await simulate(doubled(), {
          feed,
          seed,
          instances: { double: instances, out: instances },
          faults: { redeliver: share, killAt: { double: kills, out: kills } },
        });

        expect(result).toMatchObject({ status: "completed", dead: [] });
        expect(sorted(result.received.out)).toEqual(sorted(feed.flatMap((n) => [n, n + 1_000])));
        expect(result.outputs.double).toHaveLength(2 * items);
        expect(result.stages.out).toMatchObject({ accepted: 2 * items, completed: 2 * items });
      },
    ),
    { numRuns: 60 },
  );
});

test("faults may stand beside the sources", async () => {
  const p = pipeline("beside");
  p.source("feed", push<number>())
    .to(p.stage("work", (n: number) => n))
    .to(p.sink("out", (_: number) => undefined));
  const result = await simulate(p, { feed: [1, 2, 3], killAt: { work: 2 }, redeliver: { out: [1] } });
  expect(result.faults.map(({ kind, stage }) => `${kind} ${stage}`).sort()).toEqual([
    "kill work",
    "redeliver out",
  ]);
  expect(result.received.out).toHaveLength(3);
});
