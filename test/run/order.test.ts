import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  type Context,
  type Pipeline,
  pipeline,
  run,
  type StageOptions,
  TerminalError,
} from "../../src/index.ts";

interface Item {
  readonly key: string;
  readonly n: number;
}

function itemsOf(keys: number, each: number): Item[] {
  return Array.from({ length: each }, (_, n) =>
    Array.from({ length: keys }, (_, k) => ({ key: `key-${k}`, n })),
  ).flat();
}

function feed(p: Pipeline, items: readonly Item[]) {
  return p.source("feed", function* () {
    yield* items;
  });
}

/** What was seen of calls: by key the numbers whose calls succeeded, and every overlap of two calls of a key. */
class Watch {
  readonly done = new Map<string, number[]>();
  readonly overlaps: string[] = [];
  readonly calls: string[] = [];
  readonly #running = new Set<string>();

  async around({ key, n }: Item, body: () => Promise<void> | void): Promise<void> {
    if (this.#running.has(key)) this.overlaps.push(`${key} ${n}`);
    this.#running.add(key);
    this.calls.push(`${key} ${n}`);
    try {
      await body();
      this.done.set(key, [...(this.done.get(key) ?? []), n]);
    } finally {
      this.#running.delete(key);
    }
  }
}

const inOrder = (each: number): number[] => Array.from({ length: each }, (_, n) => n);
const by = ({ key }: Item): string => key;
const quick = { attempts: 5, backoff: { initialMs: 1, factor: 1 } };

describe("items of a key are worked on one at a time, in the order they were placed", () => {
  const shapes: [string, StageOptions<Item>, number][] = [
    ["in one instance", { concurrency: 8 }, 1],
    ["in three instances", { concurrency: 4 }, 3],
    ["in one partition", { concurrency: 8, partitions: 1 }, 2],
    ["in more partitions than keys", { concurrency: 8, partitions: 200 }, 2],
  ];
  test.each(shapes)("%s, while every fourth call fails", async (_where, options, instances) => {
    const p = pipeline("ordered");
    const watch = new Watch();
    let calls = 0;
    const stage = p.sink(
      "work",
      (item: Item) =>
        watch.around(item, async () => {
          if (calls++ % 3 === 0) await sleep(1);
          if (calls % 4 === 0) throw new Error("not now");
        }),
      { ...options, orderBy: by, retry: { ...quick, attempts: 50 } },
    );
    feed(p, itemsOf(10, 30)).to(stage);
    const { stages, status } = await run(p, { instances: { work: instances } });

    expect(status).toBe("completed");
    expect(stages.work).toMatchObject({ accepted: 300, completed: 300, dead: 0 });
    expect(watch.overlaps).toEqual([]);
    expect(watch.done.size).toBe(10);
    for (const [key, numbers] of watch.done) expect(numbers, key).toEqual(inOrder(30));
  });

  test("also when a stage between failing ones puts them out, and its source is quicker than all of them", async () => {
    const p = pipeline("chain");
    const watch = new Watch();
    let calls = 0;
    const middle = p.stage(
      "middle",
      async (item: Item) => {
        if (++calls % 7 === 0) throw new Error("not now");
        if (calls % 5 === 0) await sleep(1);
        return item;
      },
      { orderBy: by, concurrency: 16, retry: { ...quick, attempts: 50 } },
    );
    const last = p.sink("last", (item: Item) => watch.around(item, () => undefined), {
      orderBy: by,
      concurrency: 4,
    });
    feed(p, itemsOf(40, 50)).to(middle).to(last);
    await run(p, { instances: { middle: 2, last: 2 } });
    for (const [key, numbers] of watch.done) expect(numbers, key).toEqual(inOrder(50));
    expect(watch.done.size).toBe(40);
    expect(watch.overlaps).toEqual([]);
  });

  test("in batches: a batch may hold several of a key, in order, and no other holds one meanwhile", async () => {
    const p = pipeline("batches");
    const seen = new Map<string, number[]>();
    const running = new Set<string>();
    let overlaps = 0;
    let several = 0;
    let calls = 0;
    const sink = p.sink(
      "work",
      async (items: Item[]) => {
        const keys = new Set(items.map(({ key }) => key));
        if (keys.size < items.length) several++;
        for (const key of keys) {
          if (running.has(key)) overlaps++;
          running.add(key);
        }
        await sleep(1);
        for (const key of keys) running.delete(key);
        if (++calls % 5 === 0) throw new Error("not now");
        for (const { key, n } of items) seen.set(key, [...(seen.get(key) ?? []), n]);
      },
      { orderBy: by, concurrency: 4, batch: { size: 8, withinMs: 2 }, retry: { ...quick, attempts: 50 } },
    );
    feed(p, itemsOf(5, 60)).to(sink);
    const { stages } = await run(p);
    expect(stages.work).toMatchObject({ accepted: 300, completed: 300 });
    expect(overlaps).toBe(0);
    expect(several).toBeGreaterThan(0);
    for (const [key, numbers] of seen) expect(numbers, key).toEqual(inOrder(60));
  });
});

describe("an item that fails", () => {
  test("holds back its key and no other, and after its last attempt lets those behind it go on", async () => {
    const p = pipeline("hold");
    const watch = new Watch();
    const others = 3 * 400;
    const attempts: number[] = [];
    const sink = p.sink(
      "work",
      (item: Item, ctx: Context) =>
        watch.around(item, () => {
          expect(ctx.item.key).toBe(item.key);
          if (item.key !== "key-0" || item.n !== 2) return;
          attempts.push(ctx.item.attempt);
          // It gives up when all the others are through: far more than the credit of an instance.
          const done = [...watch.done.values()].reduce((sum, { length }) => sum + length, 0);
          if (done === others + 2) throw new TerminalError("never");
          throw new Error("not yet");
        }),
      {
        orderBy: by,
        partitions: 1,
        concurrency: 2,
        retry: { attempts: 100_000, backoff: { initialMs: 2, factor: 1 } },
      },
    );
    feed(p, itemsOf(4, 400)).to(sink);
    const { stages } = await run(p);
    expect(stages.work).toMatchObject({ accepted: 1_600, completed: 1_599, dead: 1 });
    expect(watch.done.get("key-0")).toEqual(inOrder(400).filter((n) => n !== 2));
    expect(attempts).toEqual(attempts.map((_, i) => i + 1));
    expect(watch.calls.indexOf("key-0 3")).toBeGreaterThan(watch.calls.lastIndexOf("key-0 2"));
  });

  test("is passed by the others of its key where that is asked for; their calls still do not overlap", async () => {
    const p = pipeline("pass");
    const watch = new Watch();
    const sink = p.sink(
      "work",
      (item: Item, ctx: Context) =>
        watch.around(item, async () => {
          await sleep(1);
          if (item.n === 2 && ctx.item.attempt < 3) throw new Error("not now");
        }),
      { orderBy: by, onKeyFailure: "pass", concurrency: 8, retry: quick },
    );
    feed(p, itemsOf(4, 40)).to(sink);
    const { stages } = await run(p, { instances: { work: 2 } });
    expect(stages.work).toMatchObject({ accepted: 160, completed: 160 });
    expect(watch.overlaps).toEqual([]);
    for (const numbers of watch.done.values()) {
      expect(numbers.filter((n) => n !== 2)).toEqual(inOrder(40).filter((n) => n !== 2));
      expect(numbers.indexOf(2)).toBeGreaterThan(2);
    }
  });
});

test("an orderBy that throws, or gives back no text, fails the item that was in hand where it was called", async () => {
  const p = pipeline("bad-key");
  const got: number[] = [];
  const middle = p.stage("middle", (item: Item) => item, { retry: { attempts: 1 } });
  const last = p.sink("last", ({ n }: Item) => void got.push(n), {
    orderBy: ({ n, key }) => {
      if (n === 1) throw new Error("no key");
      if (n === 2) return 7 as never;
      if (n === 3) return Promise.resolve(key) as never;
      return n === 4 ? "k".repeat(2_000) : key;
    },
  });
  feed(p, itemsOf(1, 6)).to(middle).to(last);
  const { stages } = await run(p);
  expect(got).toEqual([0, 5]);
  expect(stages.middle).toMatchObject({ accepted: 6, completed: 2, dead: 4 });
});
