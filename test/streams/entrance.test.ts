import { afterEach, expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import type { DiskRoom } from "../../src/streams/disk-room.ts";
import { Pusher } from "../../src/streams/pusher.ts";
import { SECRET, type StreamBench, streamBench, until } from "../support/stream-bench.ts";

/** A disk as the test wants it. */
class SetDisk implements DiskRoom {
  isLow = false;
  /** Whether what comes from outside is let in. */
  hasRoom = true;
  isClosed = false;
  readonly text = "1 MB is free";
  #listeners: (() => void)[] = [];
  #looking: (() => void)[] = [];

  expect(): void {}
  wrote(): void {}
  admit(): boolean {
    return this.hasRoom;
  }
  fits(): boolean {
    return this.hasRoom;
  }
  looked(): Promise<void> {
    return new Promise((resolve) => {
      this.#looking.push(resolve);
    });
  }
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
  set(isLow: boolean, hasRoom: boolean): void {
    const hasChanged = this.isLow !== isLow;
    Object.assign(this, { isLow, hasRoom });
    if (hasChanged) for (const listener of this.#listeners) listener();
    for (const resolve of this.#looking.splice(0)) resolve();
  }
}

let bench: StreamBench;
let disk: SetDisk;
const pushers: Pusher[] = [];

async function open(): Promise<void> {
  disk = new SetDisk();
  bench = await streamBench(["feed", "out"], undefined, { inputs: ["feed"] }, disk);
}

function pusher(isPatient = false): Pusher {
  const connect = async () => ({ socket: await nodeEnv.net.connect(bench.path), secret: SECRET });
  const made = new Pusher({ env: nodeEnv, source: "feed", isPatient, connect });
  pushers.push(made);
  return made;
}

const AT_ONCE = { delayMs: 0, lane: 0, meta: undefined };

afterEach(async () => {
  for (const made of pushers.splice(0)) made.fail(new Error("the test is over"));
  await bench.close();
});

test("sources and the agent are told that the disk is low; what a source has on its way then waits, in its order", async () => {
  await open();
  const source = await bench.client("src", "src-1", "source");
  await source.append("out", ["a"]);
  disk.set(true, false);
  await until(() => source.isDiskLow);
  const late = await bench.client("src2", "src2-1", "source");
  await until(() => late.isDiskLow);
  expect(bench.control.events).toEqual([
    { kind: "disk", state: "low", what: expect.stringMatching(/the disk is low.*1 MB is free/) },
  ]);
  expect((await bench.control.connection.request("stats", {})).disk).toBe("low");

  const waiting = [source.append("out", ["b"]), source.append("out", ["c"])];
  const worker = await bench.client("out", "out-1", "worker");
  worker.credit(10);
  await until(() => worker.texts.length === 1);
  // What is stored goes on.
  await worker.settle([...worker.held]);
  disk.set(true, false);
  await bench.settled();
  expect([source.confirmed, bench.engine.stats("out").unsettled]).toEqual([[1], 0]);

  disk.set(false, true);
  await Promise.all(waiting);
  await until(() => worker.texts.length === 2);
  expect([worker.texts, source.confirmed]).toEqual([
    ["b", "c"],
    [1, 2, 3],
  ]);
  expect(source.isDiskLow).toBe(false);
});

test("what waited of a source that is gone is not stored: its successor sends it again", async () => {
  await open();
  const source = await bench.client("src", "src-1", "source");
  disk.set(true, false);
  const lost = source.append("out", ["a"]);
  await bench.settled();
  source.die();
  await expect(lost).rejects.toThrow();
  const next = await bench.client("src", "src-1", "source");
  const again = next.append("out", ["a"]);
  disk.set(false, true);
  await again;
  expect(bench.engine.stats("out").unsettled).toBe(1);
});

test("pushes are refused while the disk is low, also those of a pusher that comes only then; a patient one waits", async () => {
  await open();
  const early = pusher();
  await early.push([1], AT_ONCE);
  disk.set(true, true);
  await until(() => early.isFull);
  await expect(early.push([2], AT_ONCE)).rejects.toMatchObject({ code: "MR_DISK_LOW" });
  await expect(pusher().push([3], AT_ONCE)).rejects.toMatchObject({ code: "MR_DISK_LOW" });
  const patient = pusher(true);
  await patient.push([], AT_ONCE);
  await expect(early.push([4], AT_ONCE)).rejects.toMatchObject({ code: "MR_DISK_LOW" });
  // n.b. its first push finds out that the disk is low; on its way already, it is let in.
  await patient.push([5], AT_ONCE);
  const waits = patient.push([6], AT_ONCE);
  await bench.settled();
  expect(bench.engine.stats("feed").unsettled).toBe(2);

  disk.set(false, true);
  await waits;
  await until(() => !early.isFull);
  await early.push([7], AT_ONCE);
  expect(bench.engine.stats("feed").unsettled).toBe(4);
});
