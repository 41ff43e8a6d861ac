import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MESSAGE } from "../../src/streams/protocol.ts";
import { packValue } from "../../src/wire/packing.ts";
import {
  type HeldItem,
  type StreamBench,
  type StreamClient,
  streamBench,
  until,
} from "../support/stream-bench.ts";

let bench: StreamBench;
let source: StreamClient;

beforeEach(async () => {
  bench = await streamBench(["work"], undefined, { partitions: { work: 2 } });
  source = await bench.client("feed", "feed-1", "source");
});

afterEach(() => bench.close());

const worker = (instance: string): Promise<StreamClient> => bench.client("work", instance, "worker");
const suspect = (instance: string): Promise<StreamClient> => bench.client("work", instance, "suspect");
const report = () => bench.server.report().find(({ name }) => name === "work");
const attempt = { at: 1, error: { name: "Error", message: "no", stack: "" } };

async function place(lane: 0 | 1, ...texts: string[]): Promise<void> {
  await source.append(lane === 0 ? "work" : "work~1", texts);
}

function heldBy(client: StreamClient, text: string): HeldItem {
  return client.held.find((item) => item.text === text) as HeldItem;
}

describe("lanes of an ordered stage", () => {
  test("go to one worker each, are counted as one stage, and a lane that there is not is refused", async () => {
    const [one, two] = [await worker("w1"), await worker("w2")];
    one.credit(10);
    two.credit(10);
    await place(0, "a1", "a2");
    await place(1, "b1", "b2");
    await until(() => one.held.length === 2 && two.held.length === 2);
    expect([one.texts, two.texts].sort()).toEqual([
      ["a1", "a2"],
      ["b1", "b2"],
    ]);
    expect(report()).toMatchObject({ unsettled: 4, claimed: 4, appended: 4 });
    await one.settle([...one.held]);
    await two.settle([...two.held]);
    expect(bench.engine.counts().get("work")).toEqual(
      new Map([
        ["accepted", 4],
        ["completed", 4],
      ]),
    );
    expect(report()).toMatchObject({ unsettled: 0, claimed: 0 });
    await until(() => bench.control.events.some((event) => event.kind === "empty" && event.stage === "work"));
    await expect(source.append("work~2", ["x"])).rejects.toMatchObject({ code: "MR_STREAM_UNKNOWN" });
  });

  test("move to a worker that comes when all that the old one had of them is settled", async () => {
    const one = await worker("w1");
    one.credit(10);
    await place(0, "a1");
    await place(1, "b1");
    await until(() => one.held.length === 2);
    const two = await worker("w2");
    two.credit(10);
    await place(0, "a2");
    await place(1, "b2");
    await until(() => one.held.length === 3);
    // The lane that is the second one's now waits for what the first still has of it.
    await bench.settled();
    expect(two.held).toEqual([]);
    await one.settle([...one.held]);
    await until(() => two.held.length === 1);
  });

  test("move from a worker that leaves before it has gone", async () => {
    const [one, two] = [await worker("w1"), await worker("w2")];
    two.credit(10);
    one.connection.send(MESSAGE.credit, { items: 0, isLast: true });
    await bench.settled();
    await place(0, "a1");
    await place(1, "b1");
    await until(() => two.held.length === 2);
  });

  test("come again in their order after a death, also to another worker, and not before it is certain", async () => {
    const one = await worker("w1");
    one.credit(4);
    await place(0, "a1", "a2", "a3");
    await place(0, "a4", "a5", "a6");
    await until(() => one.held.length === 4);
    await one.settle([heldBy(one, "a2")]);
    const two = await worker("w2");
    two.credit(10);
    one.die();
    await bench.settled();
    expect(two.held).toEqual([]);
    await bench.verdict(one, { charge: false });
    await until(() => two.held.length === 5);
    expect(two.texts).toEqual(["a1", "a3", "a4", "a5", "a6"]);
  });
});

describe("a suspect", () => {
  test("holds back its lane and no other, and comes only after all that is before it", async () => {
    const one = await worker("w1");
    one.credit(10);
    await place(0, "a1", "a2", "a3");
    await place(1, "b1");
    await until(() => one.held.length === 4);
    const [, second] = one.held;
    one.start(second as HeldItem);
    await bench.settled();
    one.die();
    await bench.verdict(one);

    const lone = await suspect("s1");
    lone.credit(1);
    await bench.settled();
    expect(lone.held).toEqual([]);
    const two = await worker("w2");
    two.credit(10);
    await until(() => two.held.length === 2);
    expect(two.texts.sort()).toEqual(["a1", "b1"]);
    await two.settle([heldBy(two, "a1")]);
    await until(() => lone.held.length === 1);
    expect(lone.texts).toEqual(["a2"]);
    await bench.settled();
    expect(two.texts).toEqual(["b1"]);
    await lone.settle([...lone.held]);
    await until(() => two.held.length === 2);
    expect(two.texts).toContain("a3");
  });

  test("that fails alone is handed back, cleared, to its place in its lane", async () => {
    const one = await worker("w1");
    one.credit(10);
    await place(0, "a1", "a2");
    await until(() => one.held.length === 2);
    one.start(...one.held);
    await bench.settled();
    one.die();
    await bench.verdict(one);
    const [lone, two] = [await suspect("s1"), await worker("w2")];
    lone.credit(1);
    two.credit(10);
    await until(() => lone.held.length === 1);
    const { frame, place: at } = heldBy(lone, "a1");
    lone.held.length = 0;
    await lone.transact({ attempts: [[frame, at, 70, true]] }, [packValue([attempt])]);
    await until(() => two.held.length === 1);
    expect(two.held[0]).toMatchObject({
      text: "a1",
      mark: { isCleared: true, kills: 0, failed: { delayMs: 70, history: [attempt] } },
    });
    lone.credit(1);
    await bench.settled();
    expect(lone.held).toEqual([]);
    await two.settle([...two.held]);
    await until(() => lone.held.length === 1);
    expect(lone.texts).toEqual(["a2"]);
  });
});

describe("an item that failed and keeps its place", () => {
  test("is no suspect when its process dies, and comes again with its attempts", async () => {
    const one = await worker("w1");
    one.credit(10);
    await place(0, "a1", "a2");
    await until(() => one.held.length === 2);
    one.start(...one.held);
    const [first] = one.held as [HeldItem];
    await one.transact({ attempts: [[first.frame, first.place, 9, false]] }, [packValue([attempt])]);
    one.die();
    expect(await bench.verdict(one)).toBe(1);
    const two = await worker("w2");
    two.credit(10);
    await until(() => two.held.length === 1);
    expect(two.held[0]).toMatchObject({ text: "a1", mark: { failed: { history: [attempt] } } });
  });

  test.each([
    ["of an item that is not held", [[99, 0, 1, false]], [attempt]],
    ["with a delay that is none", [[1, 0, -1, false]], [attempt]],
    ["with a history that is none", [[1, 0, 1, false]], [{ at: "then" }]],
  ])("an attempt %s is refused", async (_what, attempts, history) => {
    const one = await worker("w1");
    one.credit(1);
    await place(0, "a1");
    await until(() => one.held.length === 1);
    await expect(one.transact({ attempts: attempts as never }, [packValue(history)])).rejects.toThrow();
  });
});

test("an instance that is back with a call still running keeps its lane until that has ended", async () => {
  const [one, two] = [await worker("w1"), await worker("w2")];
  for (const each of [one, two]) each.credit(10);
  await place(0, "a1");
  await place(1, "b1");
  await until(() => one.held.length === 1 && two.held.length === 1);
  const lane = one.texts[0] === "a1" ? 0 : 1;
  one.die();
  await bench.settled();
  const back = await bench.client("work", "w1", "worker", { busy: [lane] });
  back.connection.send(MESSAGE.credit, { items: 0, isLast: true });
  await bench.settled();
  expect(two.held).toHaveLength(1);
  back.connection.send(MESSAGE.freed, { lanes: [lane] });
  await until(() => two.held.length === 2);
});

test("after a restart nothing is given before all that had lanes have come back or ended", async () => {
  const { engine } = bench;
  await place(0, "a1");
  const later = await streamBench(["work"], engine, {
    partitions: { work: 2 },
    former: { work: ["w1", "w2"] },
  });
  try {
    const one = await later.client("work", "w1", "worker");
    one.credit(10);
    await later.settled();
    expect(one.held).toEqual([]);
    const verdict = { instance: "w2", stage: "work", charge: false, external: false, what: "exit code 0" };
    await later.control.connection.request("verdict", verdict);
    await until(() => one.held.length === 1);
  } finally {
    await later.close();
  }
});

test("other partitions are refused while something waits, and taken when nothing does", async () => {
  await place(1, "b1");
  const opening = (partitions: Record<string, number>) => streamBench(["work"], bench.engine, { partitions });
  await expect(opening({ work: 3 })).rejects.toMatchObject({ code: "MR_RUN_CONFLICT" });
  await expect(opening({})).rejects.toThrow("with orderBy over 2 partitions, and now it is without orderBy");
  const one = await worker("w1");
  one.credit(1);
  await until(() => one.held.length === 1);
  await one.settle([...one.held]);
  const later = await opening({ work: 3 });
  expect(later.server.report()[0]).toMatchObject({ name: "work", unsettled: 0 });
  await later.close();
});
