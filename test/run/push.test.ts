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
