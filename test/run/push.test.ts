import { pipeline, push, start } from "millrace";
import { expect, test } from "vitest";

interface Order {
  readonly id: number;
}

const orders = (count: number, from = 0): Order[] =>
  Array.from({ length: count }, (_, i) => ({ id: from + i }));

test("what is pushed goes along the source's edges with its key; closed, the run completes by itself", async () => {
  const p = pipeline("pushed");
  const even: unknown[] = [];
  const odd: unknown[] = [];
  const feed = p.source("feed", push<Order>(), {
    retry: { attempts: 2, backoff: { initialMs: 1, jitter: "none" } },
  });
  feed.to(
    p.sink("even", (order: Order, ctx) => void even.push([order.id, ctx.item.key])),
    { when: (order) => order.id % 2 === 0 },
  );
  feed.to(
    p.sink("odd", (order: Order, ctx) => void odd.push([order.id, ctx.item.key])),
    { when: (order) => order.id % 2 === 1 },
  );
  const handle = await start(p);
  await handle.push("feed", orders(3), { key: "a" });
  await handle.push("feed", { id: 3 });
  await handle.push("feed", [null as never]).then(() => undefined);
  // Without waiting: closing waits for what was pushed before.
  void handle.push("feed", orders(1_000, 4));
  await handle.close("feed");
  const result = await handle.done;

  expect(result.status).toBe("completed");
  expect(even.slice(0, 2)).toEqual([
    [0, "a"],
    [2, "a"],
  ]);
  expect(odd.slice(0, 2)).toEqual([
    [1, "a"],
    [3, undefined],
  ]);
  expect([even.length, odd.length]).toEqual([502, 502]);
  // `null` has no id: its `when` throws until it is dead, which is all that the source has accepted.
  expect(result.stages.feed).toEqual({
    accepted: 1,
    completed: 0,
    filtered: 0,
    dead: 1,
    discarded: 0,
    quarantined: 0,
    emitted: 1_004,
  });
  await expect(handle.push("feed", orders(1))).rejects.toMatchObject({ code: "MR_RUN_OVER" });
  await expect(handle.close("feed")).rejects.toMatchObject({ code: "MR_RUN_OVER" });
});

test("a push is stored whole or not at all, and says which item it is that cannot be", async () => {
  const p = pipeline("refused");
  const seen: unknown[] = [];
  p.source("feed", push<unknown>()).to(p.sink("out", (item: unknown) => void seen.push(item)));
  p.source("own", () => []).to(p.sink("other", () => undefined));
  const handle = await start(p);
  const huge = "x".repeat(1_000_000);
  const cases: [unknown, object][] = [
    [
      [1, 2, { a: { b: () => 1 } }],
      { code: "MR_NOT_ENCODABLE", message: expect.stringContaining("item 3 of 3") },
    ],
    [[1, huge], { code: "MR_ITEM_TOO_LARGE", details: expect.objectContaining({ index: 1 }) }],
    [[1, undefined], { code: "MR_NOT_ENCODABLE" }],
    [Array.from({ length: 40 }, () => huge.slice(0, 900_000)), { code: "MR_PUSH_TOO_LARGE" }],
  ];
  for (const [items, error] of cases) await expect(handle.push("feed", items)).rejects.toMatchObject(error);
  await expect(handle.push("none", 1)).rejects.toMatchObject({ code: "MR_RUN_UNKNOWN" });
  await expect(handle.push("own", 1)).rejects.toMatchObject({ code: "MR_NOT_PUSHABLE" });
  for (const options of [{ delayMs: "soon" }, { priority: "urgent" }, { key: 1 }, { kye: "a" }]) {
    await expect(handle.push("feed", 1, options as never)).rejects.toMatchObject({ code: "MR_BAD_OPTION" });
  }
  await handle.push("feed", []);
  await handle.push("feed", ["good"]);
  await handle.close("feed");
  await expect(handle.push("feed", 1)).rejects.toMatchObject({ code: /MR_NOT_PUSHABLE|MR_RUN_OVER/ });
  await handle.done;
  expect(seen).toEqual(["good"]);
});

test("far more than may be on its way is pushed at once, in order; the bound holds", async () => {
  const p = pipeline("many");
  let last = -1;
  let ordered = true;
  let count = 0;
  p.source("feed", push<{ n: number; text: string }>()).to(
    p.sink("out", ({ n }: { n: number; text: string }) => {
      ordered &&= n > last;
      last = n;
      count++;
    }),
  );
  const handle = await start(p);
  const text = "y".repeat(10_000);
  await Promise.all(Array.from({ length: 5_000 }, (_, n) => handle.push("feed", { n, text })));
  await handle.close("feed");
  expect((await handle.done).status).toBe("completed");
  expect([count, ordered]).toEqual([5_000, true]);
});

test("what was pushed with a delay comes later; a key, a lane and a dedupe key go with the items", async () => {
  const p = pipeline("said");
  const seen: string[] = [];
  p.source("feed", push<string>()).to(
    p.sink(
      "out",
      (item: string) => {
        seen.push(item);
        if (item === "late") lateAt = performance.now();
      },
      { dedupe: { windowMs: "1h" } },
    ),
  );
  let lateAt = 0;
  const handle = await start(p);
  await handle.pause("out");
  const pushedAt = performance.now();
  await handle.push("feed", "late", { delayMs: 300 });
  await handle.push("feed", "low", { priority: "low" });
  await handle.push("feed", "first", { dedupeKey: "a" });
  await handle.push("feed", "again", { dedupeKey: "a" });
  await handle.push("feed", "high", { priority: "high" });
  await until(async () => ((await handle.status()).stages.feed?.emitted as number) >= 4);
  await handle.resume("out");
  await handle.close("feed");
  const result = await handle.done;
  expect(lateAt - pushedAt).toBeGreaterThan(290);
  expect(seen.indexOf("high")).toBeLessThan(seen.indexOf("low"));
  expect([...seen].sort()).toEqual(["first", "high", "late", "low"]);
  expect(result.stages.out).toMatchObject({ accepted: 5, completed: 4, discarded: 1 });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("pushed one after another from the first moment items come in order; a paused source keeps what comes", async () => {
  const p = pipeline("kept");
  const seen: number[] = [];
  p.source("feed", push<number>()).to(p.sink("out", (n: number) => void seen.push(n)));
  const handle = await start(p);
  for (let n = 0; n < 50; n++) await handle.push("feed", n);
  while (seen.length < 50) await new Promise((resolve) => setTimeout(resolve, 5));
  await handle.pause("feed");
  for (let n = 50; n < 60; n++) await handle.push("feed", n);
  expect(seen).toHaveLength(50);
  const { stages } = await handle.status();
  expect([stages.feed?.emitted, stages.out?.accepted]).toEqual([50, 50]);
  await handle.resume("feed");
  for (let n = 60; n < 100; n++) await handle.push("feed", n);
  await handle.close("feed");
  const result = await handle.done;

  expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(result.stages.feed).toMatchObject({ accepted: 0, emitted: 100 });
});
