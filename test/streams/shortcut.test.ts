import { afterEach, beforeEach, expect, test } from "vitest";
import { MESSAGE } from "../../src/streams/protocol.ts";
import { type StreamBench, type StreamClient, streamBench, until } from "../support/stream-bench.ts";
import { frameOf } from "../support/test-frames.ts";
import { unaccounted } from "./ledger-model.ts";

let bench: StreamBench;
let pusher: StreamClient;

beforeEach(async () => {
  bench = await streamBench(["feed", "next", "other"], undefined, { inputs: ["feed"] });
  pusher = await bench.client("feed", "pusher", "push");
});

afterEach(async () => {
  for (const stream of ["feed", "next", "other"])
    expect(unaccounted(bench.engine, stream)).toBe(bench.engine.stats(`${stream}~1`).unsettled);
  await bench.close();
});

const source = (passesOn: readonly string[]): Promise<StreamClient> =>
  bench.client("feed", "feed.1", "worker", { passesOn });
const waiting = (): number[] =>
  ["feed", "next", "other"].map((stream) => bench.engine.stats(stream).unsettled);

async function ready(instance: StreamClient): Promise<StreamClient> {
  instance.credit(100);
  await bench.settled();
  return instance;
}

test("what a source only passes on goes past it to all that it leads to; the counts are those of the long way", async () => {
  const feed = await ready(await source(["next", "other"]));
  const next = await ready(await bench.client("next", "next.1", "worker"));
  await pusher.append("feed", ["a", "b"]);
  await pusher.append("feed~1", ["urgent"]);
  await until(() => next.held.length === 3);

  expect(next.texts).toEqual(["a", "b", "urgent"]);
  expect(feed.held).toEqual([]);
  expect(waiting()).toEqual([0, 2, 2]);
  expect(bench.engine.stats("next~1").unsettled + bench.engine.stats("other~1").unsettled).toBe(2);
  const counts = bench.engine.counts();
  expect(Object.fromEntries(counts.get("feed") ?? [])).toEqual({ accepted: 3, emitted: 3, completed: 3 });
  expect(counts.get("other")?.get("accepted")).toBe(3);
});

test("a source that takes nothing keeps what is pushed: none there, no credit yet, one that leaves, one that is gone", async () => {
  await pusher.append("feed", ["none"]);
  const feed = await source(["next"]);
  await pusher.append("feed", ["not yet"]);
  feed.credit(2);
  await until(() => feed.held.length === 2);
  await feed.settle([...feed.held]);
  feed.credit(10);
  await bench.settled();
  await pusher.append("feed", ["past"]);
  expect(waiting()).toEqual([0, 1, 0]);
  feed.connection.send(MESSAGE.credit, { items: 0, isLast: true });
  await bench.settled();
  await pusher.append("feed", ["leaving"]);
  feed.die();
  await bench.settled();
  await pusher.append("feed", ["gone"]);

  expect(waiting()).toEqual([2, 1, 0]);
});

test("nothing overtakes what waits in the source, and what is delayed waits there", async () => {
  await pusher.append("feed", ["first"]);
  const feed = await ready(await source(["next"]));
  await pusher.append("feed", ["second"]);
  await until(() => feed.held.length === 2);
  expect(waiting()).toEqual([2, 0, 0]);
  // The settlement is on its way when the third is pushed: it is stored behind it.
  const passed = feed.transact(
    {
      settle: feed.held.map(({ frame, place }) => [frame, place, place + 1, "completed"]),
      append: [["next", 2, 0, true]],
    },
    [frameOf(["first", "second"])],
  );
  await bench.settled();
  await pusher.transact(
    {
      append: [
        ["feed", 1, 60_000, true],
        ["feed", 1, 0, true],
      ],
    },
    [frameOf(["late"]), frameOf(["third"])],
  );
  await passed;
  await pusher.append("feed", ["fourth"]);
  const next = await ready(await bench.client("next", "next.1", "worker"));
  await until(() => next.held.length === 4);

  expect(next.texts).toEqual(["first", "second", "third", "fourth"]);
  expect(waiting()).toEqual([1, 4, 0]);
});

test("blobs are counted by the delivery: with two stages behind it the source passes them on", async () => {
  await ready(await source(["next", "other"]));
  await pusher.transact({ append: [["feed", 1, 0, true]], blobs: [["blob-1", 1]] }, [frameOf(["large"])]);
  expect(waiting()).toEqual([1, 0, 0]);
});

test("a source that passes on to a stage that is none is refused", async () => {
  await expect(source(["nowhere"])).rejects.toMatchObject({ code: "MR_PROTOCOL" });
});
