import { type DeadLetter, pipeline, push, start } from "millrace";
import { expect, test } from "vitest";
import { z } from "zod";

const SOON = { timeout: 20_000 };

test("a handle lists, edits, replays and drops the dead letters of its run, and reads them when it is over", async () => {
  const p = pipeline("orders");
  const seen: [number, number][] = [];
  const feed = p.source("feed", push<{ n: number; total?: number | undefined }>());
  feed.to(
    p.sink(
      "out",
      (item: { n: number; total?: number | undefined }, ctx) => {
        if (item.total === undefined) throw new Error(`no total: ${item.n}`);
        seen.push([item.n, ctx.item.replay]);
      },
      { retry: { attempts: 1 }, schema: z.object({ n: z.number(), total: z.number().optional() }) },
    ),
  );
  const handle = await start(p);
  await handle.push("feed", [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3, total: 3 }]);
  await expect.poll(() => handle.dead.count(), SOON).toBe(3);

  const letters: DeadLetter[] = [];
  for await (const letter of handle.dead.list({ stage: "out", error: "NO TOTAL", since: "1m" }))
    letters.push(letter);
  expect(letters.map(({ item }) => (item as { n: number }).n).sort()).toEqual([0, 1, 2]);
  const idOf = (n: number) => letters.find(({ item }) => (item as { n: number }).n === n)?.id ?? "";
  expect(await handle.dead.get(idOf(1))).toMatchObject([
    { stage: "out", item: { n: 1 }, replay: 0, reason: "error" },
  ]);

  const edited = handle.dead.edit({}, (item) => ({ ...(item as { n: number }), total: "much" }));
  await expect(edited).rejects.toMatchObject({
    code: "MR_ITEM_INVALID",
    message: expect.stringMatching(/schema of stage out refuses the item: total: /),
  });
  await expect(handle.dead.edit({}, () => ({ n: 1, total: 1, f: () => 1 }))).rejects.toMatchObject({
    code: "MR_NOT_ENCODABLE",
  });
  expect(
    await handle.dead.edit([idOf(1), idOf(2)], (item) => ({ ...(item as { n: number }), total: 9 })),
  ).toEqual({
    edited: 2,
  });
  expect(await handle.dead.replay({ limit: 3 })).toEqual({ replayed: 3, unreadable: [] });
  await expect.poll(() => handle.dead.count(), SOON).toBe(1);
  await expect
    .poll(() => seen.sort())
    .toEqual([
      [1, 1],
      [2, 1],
      [3, 0],
    ]);
  expect(await handle.dead.replay([idOf(0)])).toMatchObject({ replayed: 1 });
  await expect.poll(async () => (await handle.dead.get(idOf(0)))[0]?.replay, SOON).toBe(2);
  expect(await handle.dead.drop("none")).toEqual({ dropped: 0 });

  await handle.close("feed");
  const { stages, deadLetters, status } = await handle.done;
  expect([status, deadLetters]).toEqual(["completed", 1]);
  expect(stages.out).toMatchObject({ accepted: 8, completed: 3, dead: 5 });
  expect(await handle.dead.get(idOf(0))).toHaveLength(1);
  await expect(handle.dead.replay({})).rejects.toMatchObject({ code: "MR_STAGE_COMPLETED" });
});

test("a stage that letters are being put back on is not completed meanwhile", async () => {
  const p = pipeline("held");
  let isFixed = false;
  const done: number[] = [];
  const feed = p.source("feed", push<number>());
  const odd = p.stage(
    "odd",
    (n: number) => {
      if (!isFixed) throw new Error("no");
      return n;
    },
    { retry: { attempts: 1 }, breaker: false },
  );
  feed.to(odd).to(p.sink("out", (n: number) => void done.push(n)));
  const handle = await start(p);
  const numbers = Array.from({ length: 2_000 }, (_, n) => n);
  await handle.push("feed", numbers);
  await expect.poll(() => handle.dead.count(), SOON).toBe(2_000);
  isFixed = true;
  // The source is closed while the pages of the replay go their way: whatever was put back is worked on.
  const [replay] = await Promise.allSettled([handle.dead.replay({}), handle.close("feed")]);
  const { deadLetters, stages } = await handle.done;
  expect(deadLetters + done.length).toBe(2_000);
  expect(stages.odd?.accepted).toBe(2_000 + done.length);
  if (replay.status === "fulfilled") expect(replay.value.replayed).toBe(done.length);
  else expect(replay.reason).toMatchObject({ code: "MR_STAGE_COMPLETED" });
});

test("the list of a run's letters can be awaited, a stage's name chooses its letters, a value is an edit", async () => {
  const p = pipeline("short");
  const got: number[] = [];
  const work = (n: number): void => {
    if (n < 10) throw new Error("too small");
    got.push(n);
  };
  p.source("feed", push<number>()).to(p.sink("work", work, { retry: { attempts: 1 } }));
  const handle = await start(p);
  await handle.push("feed", [1, 2, 30]);
  await expect.poll(() => handle.dead.count(), SOON).toBe(2);
  const letters = await handle.dead.list("work");
  expect(letters.map(({ item }) => item).sort()).toEqual([1, 2]);
  expect(await handle.dead.list({ error: "nothing like it" })).toEqual([]);
  expect(await handle.dead.edit(letters[0]?.id ?? "", 10)).toEqual({ edited: 1 });
  expect(await handle.dead.replay("work")).toEqual({ replayed: 2, unreadable: [] });
  await expect.poll(() => got, SOON).toEqual([30, 10]);
  await handle.close("feed");
  expect((await handle.done).deadLetters).toBe(1);
});

test(
  "a letter of a push source is found by its id, like any other, and by the source's name",
  SOON,
  async () => {
    const p = pipeline("intake");
    const feed = p.source("feed", push<{ n: number }>(), { retry: { attempts: 1 } });
    const isEven = ({ n }: { n: number }): boolean => {
      if (n === 1) throw new Error("neither even nor odd");
      return true;
    };
    feed.to(
      p.sink("out", () => undefined),
      { when: isEven },
    );
    const handle = await start(p);
    await handle.push("feed", [{ n: 0 }, { n: 1 }]);
    await expect.poll(() => handle.dead.count(), SOON).toBe(1);
    const [letter] = await handle.dead.list("feed");
    expect(letter).toMatchObject({ stage: "feed", item: { n: 1 } });
    const id = letter?.id ?? "";
    expect(await handle.dead.get(id)).toEqual([letter]);
    expect(await handle.dead.edit([id], { n: 2 })).toEqual({ edited: 1 });
    expect(await handle.dead.replay([id])).toMatchObject({ replayed: 1 });
    await handle.close("feed");
    expect(await handle.done).toMatchObject({ status: "completed", stages: { out: { completed: 2 } } });
  },
);
