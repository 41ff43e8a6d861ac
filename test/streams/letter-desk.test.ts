import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import type { StoredDeadLetter } from "../../src/records/dead-letter.ts";
import { recordKeys } from "../../src/records/record-store.ts";
import { NOTHING, type StreamEngine } from "../../src/streams/contract.ts";
import { partitionOf } from "../../src/streams/lanes.ts";
import { LetterDesk } from "../../src/streams/letter-desk.ts";
import { openEngine } from "../../src/streams/open-engine.ts";
import { Frame } from "../../src/wire/frame.ts";
import { ItemDecoder } from "../../src/wire/item-codec.ts";
import { packValue } from "../../src/wire/packing.ts";
import { onlyItem, replaceItem } from "../../src/wire/replace-item.ts";

const ID = "0123456789abcdef01234567-";

function letterOf(n: number, more: Partial<StoredDeadLetter> = {}): StoredDeadLetter {
  const error = { name: "Error", message: "no", stack: "" };
  const meta = {
    id: `${ID}${n}`,
    enqueuedAt: 5,
    headers: { trace: String(n) },
    history: [{ at: 1, error }],
    ...(more.key === undefined ? {} : { key: more.key }),
  };
  return {
    id: `${ID}${n}`,
    pipeline: "p",
    run: "r",
    stage: "check",
    headers: meta.headers,
    attempts: [{ at: 1, error }],
    reason: "error",
    bundle: "",
    path: ["check"],
    deadAt: 2,
    enqueuedAt: 5,
    frame: replaceItem(Buffer.alloc(0), { n }, meta),
    ...more,
  };
}

async function deskWith(
  letters: readonly StoredDeadLetter[],
): Promise<{ engine: StreamEngine; desk: LetterDesk }> {
  const { engine } = await openEngine(nodeEnv, { kind: "memory", directory: "", durability: "process" });
  for (const letter of letters)
    await engine.records.put(recordKeys.deadLetter(letter.stage, letter.id), packValue(letter));
  return { engine, desk: new LetterDesk(nodeEnv, engine, () => undefined) };
}

/** All that waits on a stream. */
async function waiting(engine: StreamEngine, stream: string): Promise<{ frame: Frame; place: number }[]> {
  await engine.open(stream);
  const found: { frame: Frame; place: number }[] = [];
  const deliveries = engine.consume(stream, ({ content: { bytes } }) => {
    const frame = Frame.parse(bytes);
    for (let place = 0; place < frame.count; place++) found.push({ frame, place });
  });
  deliveries.want(100_000);
  await expect.poll(() => found.length, { timeout: 20_000 }).toBe(engine.stats(stream).unsettled);
  deliveries.close();
  return found;
}

test("two who replay all at once put each letter back once: with its id, key and headers, without its attempts", async () => {
  const { engine, desk } = await deskWith(
    Array.from({ length: 50 }, (_, n) => letterOf(n, { key: `k${n}` })),
  );
  const ids = Array.from({ length: 50 }, (_, n) => `${ID}${n}`);
  const answers = await Promise.all([desk.replay("check", ids), desk.replay("check", [...ids, "none"])]);

  expect(answers.map(({ replayed }) => replayed)).toEqual([50, 0]);
  expect(answers[1]?.missing).toEqual([...ids, "none"]);
  expect(engine.records.count(recordKeys.deadLetters())).toBe(0);
  const items = await waiting(engine, "check");
  expect(items.map(({ frame, place }) => frame.idOf(place)).sort()).toEqual([...ids].sort());
  const [first] = items;
  expect(first?.frame.meta?.get(first.place)).toEqual({
    id: `${ID}0`,
    key: "k0",
    enqueuedAt: 5,
    headers: { trace: "0" },
    replay: 1,
  });
  expect(first?.frame.count).toBe(50);
  expect(Object.fromEntries(engine.counts().get("check") ?? [])).toEqual({ accepted: 50, replayed: 50 });
});

test("a letter goes back to its lane: of its priority, or of its key where the stage keeps order", async () => {
  const low = await deskWith([letterOf(1, { lane: 2 }), letterOf(2)]);
  await low.desk.replay("check", [`${ID}1`, `${ID}2`]);
  expect((await waiting(low.engine, "check~2")).map(({ frame, place }) => frame.idOf(place))).toEqual([
    `${ID}1`,
  ]);
  expect((await waiting(low.engine, "check")).map(({ frame, place }) => frame.idOf(place))).toEqual([
    `${ID}2`,
  ]);

  const ordered = await deskWith([letterOf(1, { key: "customer", lane: 9 })]);
  await ordered.engine.records.put(recordKeys.partitions("check"), packValue(32));
  await ordered.desk.replay("check", [`${ID}1`]);
  const lane = partitionOf("customer", 32);
  expect(await waiting(ordered.engine, lane === 0 ? "check" : `check~${lane}`)).toHaveLength(1);
});

test("an edit of a letter that is another one by now is left out; bytes that are no frame stay where they are", async () => {
  const { engine, desk } = await deskWith([
    letterOf(1),
    letterOf(2),
    letterOf(3, { frame: Buffer.from("no frame") }),
  ]);
  const expected = packValue(letterOf(1));
  const value = packValue(letterOf(1, { frame: replaceItem(letterOf(1).frame, { n: "one" }, {}) }));
  const edits = [
    { id: `${ID}1`, expected, value },
    { id: `${ID}2`, expected, value },
  ];
  expect(await desk.edit("check", edits)).toEqual({ edited: 1, changed: [`${ID}2`] });
  expect(await desk.edit("check", edits)).toEqual({ edited: 0, changed: [`${ID}1`, `${ID}2`] });

  const answer = await desk.replay("check", [`${ID}1`, `${ID}3`]);
  expect(answer).toEqual({ replayed: 1, missing: [], unreadable: [`${ID}3`] });
  const [item] = await waiting(engine, "check");
  expect(item?.frame.idOf(0)).toBe(`${ID}1`);
  expect(onlyItem(item?.frame.bytes ?? Buffer.alloc(0), new ItemDecoder())).toEqual({ n: "one" });
  expect(await desk.drop("check", [`${ID}2`, `${ID}2`, "none"])).toEqual({ dropped: 1, missing: ["none"] });
});

test("a blob lives as long as a letter refers to it: through an edit and a replay, until the letter is dropped", async () => {
  const blobbed = (n: number, blobs: readonly string[]): StoredDeadLetter => {
    const letter = letterOf(n);
    const frame = Frame.parse(Buffer.from(letter.frame)).pick([0], () => ({ blobs }));
    return { ...letter, frame };
  };
  const before = blobbed(1, ["a", "b"]);
  const { engine, desk } = await deskWith([before, blobbed(2, ["c"])]);
  const freed: string[] = [];
  engine.onBlobFree((blob) => freed.push(blob));
  await engine.transact({ ...NOTHING, blobs: ["a", "b", "c"].map((blob) => [blob, 1] as const) });

  const value = packValue(blobbed(1, ["a"]));
  await desk.edit("check", [{ id: before.id, expected: packValue(before), value }]);
  expect(freed).toEqual(["b"]);
  await desk.replay("check", [before.id]);
  expect(freed).toEqual(["b"]);
  await desk.drop("check", [`${ID}2`]);
  expect(freed).toEqual(["b", "c"]);
});
