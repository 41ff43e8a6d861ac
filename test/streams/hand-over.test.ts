import { afterEach, expect, test } from "vitest";
import type { DiskRoom } from "../../src/streams/disk-room.ts";
import { worthMoving } from "../../src/streams/embedded/worth-moving.ts";
import { type StreamBench, streamBench, until } from "../support/stream-bench.ts";
import { frameOf } from "../support/test-frames.ts";

let bench: StreamBench;
afterEach(() => bench.close());

test("on a low disk a stage hands on what the one behind it has room for: one transaction each time that it has nothing left", async () => {
  let isLow = false;
  let hasRoom = true;
  const disk: DiskRoom = {
    get isLow() {
      return isLow;
    },
    isClosed: false,
    text: "",
    expect: () => undefined,
    wrote: () => undefined,
    admit: () => true,
    fits: () => hasRoom,
    looked: () => new Promise((resolve) => setTimeout(resolve, 20)),
    onChange: () => undefined,
  };
  bench = await streamBench(["work", "out"], undefined, { ahead: { work: ["out"] } }, disk);
  const feed = await bench.client("feed", "f", "source");
  await feed.append("work", ["1", "2", "3", "4"]);
  const work = await bench.client("work", "w", "worker");
  work.credit(10);
  await until(() => work.held.length === 4);
  isLow = true;
  const given = [...work.held];
  const handOn = () => {
    work.held.shift();
    const { frame, place, text } = given.shift() as (typeof given)[number];
    return work.transact(
      { settle: [[frame, place, place + 1, "completed"]], append: [["out", 1, 0, true]] },
      [frameOf([`${text}!`])],
    );
  };
  const handed = [handOn(), handOn(), handOn()];
  await handed[0];
  const out = await bench.client("out", "o", "worker");
  out.credit(10);
  for (const n of [1, 2]) {
    await until(() => out.held.length === 1);
    await bench.settled();
    // The next one waits for what the sink has in hand; what settles items never does.
    expect([out.texts, work.confirmed]).toEqual([[`${n}!`], Array.from({ length: n }, (_, i) => i + 1)]);
    await out.settle([...out.held]);
  }
  await handed[2];
  await until(() => out.held.length === 1);
  await out.settle([...out.held]);

  hasRoom = false;
  const last = handOn();
  await bench.settled();
  expect(bench.engine.stats("out").unsettled).toBe(0);
  hasRoom = true;
  await last;
  expect(bench.engine.stats("out").unsettled).toBe(1);
});

test("on a low disk the oldest segment is moved while that gains something and fits; else only one that is nearly empty", () => {
  const segment = (number: number, liveBytes: number) => ({ number, bytes: 100, live: 1, liveBytes });
  const half = [1, 2, 3, 4, 5].map((number) => segment(number, 50));
  expect([worthMoving(half), worthMoving(half, 100), worthMoving(half, 60)]).toEqual([
    undefined,
    1,
    undefined,
  ]);
  const full = half.map(({ number }) => segment(number, 90));
  expect([worthMoving(full, 1_000), worthMoving([segment(1, 4), ...full])]).toEqual([undefined, 1]);
  expect(worthMoving(half.slice(0, 1), 1_000)).toBeUndefined();
});
