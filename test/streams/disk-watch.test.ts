import { describe, expect, test } from "vitest";
import type { Transaction } from "../../src/streams/contract.ts";
import { DiskWatch } from "../../src/streams/embedded/disk-watch.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { SegmentLog } from "../../src/streams/embedded/segment-log.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { type FakeEnv, fakeEnv } from "../support/fake-env.ts";
import { frameOf } from "../support/test-frames.ts";
import { settle } from "./power-cuts.ts";

/** A hundredth of the disk. */
const PART = 100 * 1024;
const directory = "/run/log";
const nothing: Transaction = { settlements: [], appends: [], records: [], marks: [], counts: [] };

interface World {
  readonly disk: FakeDisk;
  readonly env: FakeEnv;
  readonly watch: DiskWatch;
  readonly changes: boolean[];
  /** Other programs use so much of the disk. */
  use(bytes: number): Promise<void>;
  look(): Promise<void>;
}

/** Of its hundred parts five are to stay free. */
async function world(onLow: () => void = () => undefined): Promise<World> {
  const disk = new FakeDisk(seededChance(1));
  disk.capacity = 100 * PART;
  const env = fakeEnv(disk);
  const watch = (await DiskWatch.open(env, { directory, onLow })) as DiskWatch;
  const changes: boolean[] = [];
  watch.onChange(() => changes.push(watch.isLow));
  const look = async (): Promise<void> => {
    env.advance(1_000);
    await settle();
  };
  const use = (bytes: number): Promise<void> => disk.replaceFile("/other", Buffer.alloc(bytes));
  return { disk, env, watch, changes, use, look };
}

describe("a watch on the disk", () => {
  test("begins below the watermark, ends well above it, and looks by itself", async () => {
    const { disk, watch, changes, use, look } = await world();
    await look();
    expect(disk.names(directory)).toEqual(["ballast"]);
    expect([watch.isLow, watch.admit(1_000)]).toEqual([false, true]);

    // Five parts are the ballast's.
    await use(91 * PART);
    await look();
    expect(changes).toEqual([true]);
    // Over the second watermark, what was on its way is still let in.
    expect([watch.admit(1 * PART), watch.admit(1 * PART)]).toEqual([true, false]);
    await use(89.5 * PART);
    await look();
    expect(changes).toEqual([true]);
    await use(80 * PART);
    await look();
    await look();
    expect(changes).toEqual([true, false]);
    await watch.close();
    expect(disk.names(directory)).toEqual([]);
  });

  test("is told what is about to be written, and does not wait for its next look to say that it is too much", async () => {
    const { watch, changes, use, look } = await world();
    await look();
    await use(80 * PART);
    await look();
    expect([watch.admit(8 * PART), watch.isLow]).toEqual([true, false]);
    expect([watch.admit(8 * PART), changes]).toEqual([false, [true]]);
    await watch.close();
  });

  test("keeps none where nothing is to stay free, or nobody can say how much there is", async () => {
    const disk = new FakeDisk(seededChance(1));
    const env = fakeEnv(disk);
    const onLow = (): void => undefined;
    expect(await DiskWatch.open(env, { directory, keepFreeBytes: 0, onLow })).toBeUndefined();
    disk.freeBytes = () => Promise.reject(Object.assign(new Error("ENOSYS"), { code: "ENOSYS" }));
    expect(await DiskWatch.open(env, { directory, onLow })).toBeUndefined();
  });
});

test("on a disk that others have filled a settlement is still stored, and what is done goes to make room", async () => {
  let engine: EmbeddedEngine | undefined;
  const { disk, env, watch, changes, use, look } = await world(() => engine?.makeRoom());
  const opened = await EmbeddedEngine.open(
    env,
    (snapshot) =>
      new SegmentLog(env, { directory, sync: true, snapshot, makeRoom: () => watch.giveUpBallast() }),
    "power-loss",
  );
  engine = opened.engine;
  await engine.open("a");
  await look();
  const frame = frameOf(["x".repeat(90_000)]);
  const append = { stream: "a", frame, count: 1, delayMs: 0, isNew: true };
  for (let i = 0; i < 10; i++) await engine.transact({ ...nothing, appends: [append] });
  const [segment] = disk.names(directory);
  await use(disk.capacity - disk.usedBytes);
  expect(await disk.freeBytes()).toBe(0);

  for (let n = 1; n <= 10; n++) {
    const settlement = { stream: "a", frame: n, from: 0, to: 1, outcome: "completed" } as const;
    await engine.transact({ ...nothing, settlements: [settlement] });
  }
  expect(changes).toEqual([true]);
  expect(disk.names(directory)).not.toContain("ballast");
  expect(engine.stats("a").unsettled).toBe(0);
  await look();
  expect(disk.names(directory)).not.toContain(segment);
  await look();
  // The room is there again, and so is the ballast.
  expect(changes).toEqual([true, false]);
  expect(disk.names(directory)).toContain("ballast");
  await engine.close();
  await watch.close();
});
