import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type Priority, pipeline, run, start } from "../../src/index.ts";

interface Item {
  readonly n: number;
  readonly priority: Priority;
}

/** The priorities in the order in which a stage got them, when it got nothing before the last was placed. */
async function orderOf(items: readonly Item[]): Promise<Priority[]> {
  const p = pipeline("prios");
  const seen: Priority[] = [];
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const feed = p.source("feed", function* () {
    yield { n: -1, priority: "normal" } satisfies Item as Item;
    yield* items;
  });
  const work = p.sink(
    "work",
    async (item: Item) => {
      if (item.n < 0) await gate;
      else seen.push(item.priority);
    },
    { priority: (item) => item.priority },
  );
  feed.to(work);
  const handle = await start(p);
  while ((await handle.status()).stages.work?.accepted !== items.length + 1) await sleep(5);
  open();
  const { stages, status } = await handle.done;
  expect(status).toBe("completed");
  expect(stages.work).toMatchObject({ accepted: items.length + 1, completed: items.length + 1 });
  return seen;
}

const many = (count: number, priority: Priority): Item[] =>
  Array.from({ length: count }, (_, n) => ({ n, priority }));

describe("items of a higher priority come first", () => {
  test("a few high ones overtake a long backlog, but for what is in hand already", async () => {
    const seen = await orderOf([...many(20_000, "normal"), ...many(50, "high")]);
    expect(seen).toHaveLength(20_050);
    expect(seen.lastIndexOf("high")).toBeLessThan(500);
  });

  test("where all three wait they come 16 to 4 to 1: low ones do not starve", async () => {
    const all = [...many(4_000, "low"), ...many(4_000, "normal"), ...many(4_000, "high")];
    const seen = await orderOf(all);
    const early = seen.slice(0, 4_200);
    const share = (priority: Priority): number => early.filter((other) => other === priority).length;
    expect(share("low")).toBeGreaterThan(150);
    expect(share("normal")).toBeGreaterThan(600);
    expect(share("high")).toBeGreaterThan(2_700);
    expect(seen).toHaveLength(all.length);
  });
});

test("a stage may say it once for all of its items; a priority that is none fails the item that was in hand", async () => {
  const p = pipeline("prios");
  const got: number[] = [];
  const feed = p.source("feed", function* () {
    yield* [1, 2, 3];
  });
  const middle = p.stage("middle", (n: number) => n, { priority: "low", retry: { attempts: 1 } });
  const last = p.sink("last", (n: number) => void got.push(n), {
    priority: (n) => (n === 2 ? ("soon" as Priority) : "high"),
  });
  feed.to(middle).to(last);
  const { stages } = await run(p);
  expect(got.sort()).toEqual([1, 3]);
  expect(stages.middle).toMatchObject({ accepted: 3, completed: 2, dead: 1 });
});
