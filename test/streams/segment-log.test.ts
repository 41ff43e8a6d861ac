import { describe, expect, test } from "vitest";
import { recordKeys } from "../../src/records/record-store.ts";
import type { Append, Delivery, Settlement, Transaction } from "../../src/streams/contract.ts";
import type { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";
import { unaccounted } from "./ledger-model.ts";
import { type Outing, openOn, outing, STREAMS, settle, type Trouble } from "./power-cuts.ts";

async function outings(count: number, trouble: Trouble): Promise<Outing[]> {
  const all: Outing[] = [];
  for (let seed = 1; seed <= count; seed++) all.push(await outing(seed, trouble));
  return all;
}

const sum = (all: readonly Outing[], of: (one: Outing) => number): number =>
  all.reduce((n, one) => n + of(one), 0);
const problems = (all: readonly Outing[]): string[] => all.flatMap((one) => one.problem ?? []);

describe("a power cut", () => {
  test("loses nothing that was confirmed, leaves nothing by half, keeps the order", async () => {
    const all = await outings(150, { sync: true, lives: 4, fillsUp: false });

    expect(problems(all)).toEqual([]);
    // A run that never got there shows nothing.
    expect(sum(all, (one) => one.confirmed)).toBeGreaterThan(3_000);
    expect(sum(all, (one) => one.cuts)).toBeGreaterThan(450);
    expect(sum(all, (one) => one.moves)).toBeGreaterThan(100);
    expect(Math.max(...all.map((one) => one.segmentsSeen))).toBeGreaterThan(20);
  });

  test("on a disk that fills up now and then: what was refused is not there either", async () => {
    const all = await outings(100, { sync: true, lives: 3, fillsUp: true });

    expect(problems(all)).toEqual([]);
    expect(sum(all, (one) => one.refusedFull)).toBeGreaterThan(300);
    expect(sum(all, (one) => one.confirmed)).toBeGreaterThan(1_000);
  });

  test("does lose something where writes are not flushed: this test can see a loss", async () => {
    const all = await outings(30, { sync: false, lives: 3, fillsUp: false });

    expect(problems(all).length).toBeGreaterThan(5);
  });
});

const nothing: Transaction = { settlements: [], appends: [], records: [], marks: [], counts: [] };
const append = (stream: string, texts: readonly string[], delayMs = 0): Append => ({
  stream,
  frame: frameOf(texts),
  count: texts.length,
  delayMs,
  isNew: true,
});
const done = ({ stream, frame }: Delivery, from: number, to: number): Settlement => ({
  stream,
  frame,
  from,
  to,
  outcome: "completed",
});
const pendingTexts = (deliveries: readonly Delivery[]): string[] =>
  deliveries.flatMap(({ content: { bytes }, pending }) =>
    pending.flatMap(([from, to]) => textsOf(bytes).slice(from, to)),
  );

function newDisk(): FakeDisk {
  return new FakeDisk(seededChance(1));
}

/** Twenty frames of two items, each a transaction of its own, in segments of a few frames. */
async function filled(disk: FakeDisk): Promise<void> {
  const { engine } = await openOn(disk, true, 1_000);
  for (let i = 0; i < 20; i++)
    await engine.transact({ ...nothing, appends: [append("a", [`first-${i}`, `second-${i}`])] });
  await engine.records.put("kept", Buffer.from("a value that is kept"));
  for (let i = 20; i < 25; i++)
    await engine.transact({ ...nothing, appends: [append("a", [`first-${i}`, `second-${i}`])] });
  await engine.close();
}

/** A segment that holds this text, and where. */
function find(disk: FakeDisk, text: string): { path: string; at: number } {
  for (const name of disk.names("/run/log")) {
    const path = `/run/log/${name}`;
    const at = disk.bytesOf(path).indexOf(text);
    if (at >= 0) return { path, at };
  }
  throw new Error(`no segment holds ${text}`);
}

describe("damage", () => {
  test("of a frame's bytes sets the frame aside, with its record and its count; all others are delivered", async () => {
    const disk = newDisk();
    await filled(disk);
    const { path, at } = find(disk, "second-7");
    disk.flip(path, at * 8 + 3);

    const { engine, deliveries, damage } = await openOn(disk, true, 1_000);
    await settle();

    expect(damage).toEqual([]);
    const texts = pendingTexts(deliveries);
    expect(texts).toHaveLength(48);
    expect(texts.some((text) => text.endsWith("-7"))).toBe(false);
    expect(engine.counts().get("a")?.get("quarantined")).toBe(2);
    expect(unaccounted(engine, "a")).toBe(0);
    const stored = await engine.records.get(recordKeys.quarantine("a", 8));
    expect(stored?.toString("latin1")).toContain('"items":2');
    expect(stored?.includes("first-7")).toBe(true);
  });

  test("of a frame is quarantined for good: not once more after the next start", async () => {
    const disk = newDisk();
    await filled(disk);
    const { path, at } = find(disk, "second-7");
    disk.flip(path, at * 8);
    const first = await openOn(disk, true, 1_000);
    await settle();
    await first.engine.close();

    const { engine, deliveries } = await openOn(disk, true, 1_000);
    await settle();

    expect(pendingTexts(deliveries)).toHaveLength(48);
    expect(engine.counts().get("a")?.get("quarantined")).toBe(2);
    expect(unaccounted(engine, "a")).toBe(0);
  });

  test("in the middle of an older segment is reported; the rest of it is read; no item is unaccounted for", async () => {
    const disk = newDisk();
    await filled(disk);
    const { path, at } = find(disk, "first-7");
    // The record's head lies before its frame's header.
    disk.overwrite(path, at - 80, Buffer.alloc(20, 0xff));

    const { engine, deliveries, damage } = await openOn(disk, true, 1_000);
    await settle();

    expect(damage).toEqual([expect.objectContaining({ file: path, kind: "damaged" })]);
    const texts = pendingTexts(deliveries);
    expect(texts).toHaveLength(48);
    expect(texts.filter((text) => text.startsWith("first-"))).toEqual(
      Array.from({ length: 25 }, (_, i) => `first-${i}`).filter((text) => text !== "first-7"),
    );
    expect(unaccounted(engine, "a")).toBe(0);
    expect(engine.counts().get("a")?.get("quarantined")).toBe(2);
  });

  test("of a stored record's value is not handed out as if it were whole", async () => {
    const disk = newDisk();
    await filled(disk);
    const { path, at } = find(disk, "a value that is kept");
    disk.flip(path, (at + 5) * 8);

    const { engine } = await openOn(disk, true, 1_000);

    await expect(engine.records.get("kept")).rejects.toMatchObject({ code: "MR_LOG_CORRUPT" });
    // Set aside, so that the other records can be listed.
    await engine.records.put("other", Buffer.from("x"));
    expect((await engine.records.scan("")).entries.map(({ key }) => key)).toEqual(["damaged/kept", "other"]);
  });

  test("at any single place is either harmless, repaired or reported: never wrong items, never a crash", async () => {
    const chance = seededChance(99);
    for (let round = 0; round < 60; round++) {
      const disk = newDisk();
      await filled(disk);
      const names = disk.names("/run/log");
      const path = `/run/log/${names[Math.floor(chance() * names.length)]}`;
      const size = disk.bytesOf(path).length;
      if (chance() < 0.7) disk.flip(path, Math.floor(chance() * size * 8));
      else disk.overwrite(path, Math.floor(chance() * size), Buffer.alloc(1));

      const { engine, deliveries, damage } = await openOn(disk, true, 1_000);
      await settle();

      const texts = pendingTexts(deliveries);
      const expected = new Set(Array.from({ length: 25 }, (_, i) => [`first-${i}`, `second-${i}`]).flat());
      for (const text of texts) expect(expected.delete(text), `${text} in round ${round}`).toBe(true);
      if (expected.size > 0) {
        const quarantined = (await engine.records.scan("quarantine/")).entries.length;
        expect(damage.length + quarantined, `round ${round}: ${[...expected]}`).toBeGreaterThan(0);
      }
      expect(unaccounted(engine, "a"), `round ${round}`).toBe(0);
      await engine.close();
    }
  });

  test("that is a read which failed once does not set a whole frame aside", async () => {
    const disk = newDisk();
    await filled(disk);
    let failures = 0;
    disk.failure = (operation) => (operation === "read" && failures++ === 12 ? "EIO" : undefined);

    const { engine, deliveries } = await openOn(disk, true, 1_000);
    await settle();

    expect(failures).toBeGreaterThan(12);
    expect(pendingTexts(deliveries)).toHaveLength(50);
    expect(engine.counts().get("a")?.get("quarantined")).toBeUndefined();
  });
});

/** Settles all that is pending but what `keep` names. */
async function settleAllBut(
  engine: EmbeddedEngine,
  deliveries: readonly Delivery[],
  keep: (text: string) => boolean,
): Promise<void> {
  for (const delivery of deliveries) {
    const texts = textsOf(delivery.content.bytes);
    const settlements = delivery.pending.flatMap(([from, to]) =>
      Array.from({ length: to - from }, (_, i) => from + i)
        .filter((place) => !keep(texts[place] as string))
        .map((place) => done(delivery, place, place + 1)),
    );
    if (settlements.length > 0) await engine.transact({ ...nothing, settlements });
  }
}

describe("segments", () => {
  test("go when all in them is settled", async () => {
    const disk = newDisk();
    const { engine, deliveries } = await openOn(disk, true, 1_000);
    for (let i = 0; i < 200; i++) {
      await engine.transact({ ...nothing, appends: [append("a", [`item-${i}`])] });
      await settleAllBut(engine, deliveries.splice(0), () => false);
    }
    await settle();

    expect(disk.names("/run/log").length).toBeLessThan(4);
    expect(engine.counts().get("a")?.get("completed")).toBe(200);
    await engine.close();
    const again = await openOn(disk, true, 1_000);
    expect(again.engine.counts().get("a")?.get("completed")).toBe(200);
    expect(unaccounted(again.engine, "a")).toBe(0);
  });

  test("that stragglers and records hold up are emptied: what lives is moved, with what was known of it", async () => {
    const disk = newDisk();
    const { engine, deliveries } = await openOn(disk, true, 2_000);
    await engine.records.put("dead/stage/1", Buffer.from("letter"));
    const straggler = append("b", ["s0", "s1", "s2", "s3"]);
    await engine.transact({ ...nothing, appends: [straggler, append("b", ["later"], 40_000)] });
    const [held] = deliveries.splice(0) as [Delivery];
    await engine.transact({
      ...nothing,
      settlements: [done(held, 1, 2)],
      marks: [
        { stream: "b", frame: held.frame, place: 2, mark: { kills: 1, last: "signal SIGABRT", at: 5 } },
      ],
    });
    for (let i = 0; i < 300; i++) {
      await engine.transact({ ...nothing, appends: [append("a", [`item-${i}`])] });
      await settleAllBut(engine, deliveries.splice(0), () => false);
    }
    await settle();
    expect(disk.names("/run/log").length).toBeLessThan(8);
    expect(disk.names("/run/log")[0]).not.toBe("00000001.seg");
    expect((await engine.records.get("dead/stage/1"))?.toString()).toBe("letter");
    await engine.close();

    const again = await openOn(disk, true, 2_000);
    await settle();

    expect(pendingTexts(again.deliveries)).toEqual(["s0", "s2", "s3"]);
    expect(again.deliveries[0]?.marks?.get(2)).toEqual({ kills: 1, last: "signal SIGABRT", at: 5 });
    expect((await again.engine.records.get("dead/stage/1"))?.toString()).toBe("letter");
    expect(again.engine.stats("b")).toMatchObject({ unsettled: 4, delayed: 1, appended: 5 });
    expect(unaccounted(again.engine, "a")).toBe(0);
    expect(unaccounted(again.engine, "b")).toBe(0);
    again.env.advance(39_000);
    await settle();
    expect(again.engine.stats("b").delayed).toBe(1);
    again.env.advance(1_000);
    await settle();
    expect(pendingTexts(again.deliveries)).toEqual(["s0", "s2", "s3", "later"]);
  });

  test("that cannot be emptied because the disk is full do not stop the engine, nor does one that cannot be begun", async () => {
    const disk = newDisk();
    const { engine, deliveries } = await openOn(disk, true, 1_000);
    await engine.transact({ ...nothing, appends: [append("b", ["straggler"])] });
    deliveries.length = 0;
    let confirmed = 0;
    for (let i = 0; i < 150; i++) {
      disk.capacity = i % 3 === 0 ? disk.usedBytes + (i % 7) * 40 : Number.POSITIVE_INFINITY;
      await engine.transact({ ...nothing, appends: [append("a", [`item-${i}`])] }).then(
        () => confirmed++,
        (error: unknown) => expect(error).toMatchObject({ code: "MR_DISK_FULL" }),
      );
      disk.capacity = Number.POSITIVE_INFINITY;
      await settleAllBut(engine, deliveries.splice(0), () => false);
    }
    expect(confirmed).toBeGreaterThan(100);
    expect(confirmed).toBeLessThan(150);
    expect(engine.counts().get("a")?.get("accepted")).toBe(confirmed);
    await engine.close();

    const again = await openOn(disk, true, 1_000);
    await settle();
    expect(pendingTexts(again.deliveries)).toEqual(["straggler"]);
    expect(again.engine.counts().get("a")?.get("completed")).toBe(confirmed);
  });

  test("that cannot be removed are removed after the next start, in order", async () => {
    const disk = newDisk();
    const { engine, deliveries } = await openOn(disk, true, 1_000);
    disk.failure = (operation, path) =>
      operation === "remove" && path.endsWith("00000002.seg") ? "EIO" : undefined;
    for (let i = 0; i < 60; i++) {
      await engine.transact({ ...nothing, appends: [append("a", [`item-${i}`])] });
      await settleAllBut(engine, deliveries.splice(0), () => false);
    }
    await settle();
    expect(disk.names("/run/log")[0]).toBe("00000002.seg");
    disk.failure = undefined;
    await engine.close();

    const again = await openOn(disk, true, 1_000);
    await settle();

    expect(disk.names("/run/log").length).toBeLessThan(4);
    expect(again.engine.counts().get("a")?.get("completed")).toBe(60);
    expect(unaccounted(again.engine, "a")).toBe(0);
  });

  test("that go together go one after the other: a power cut in their midst brings nothing back to life", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const disk = new FakeDisk(seededChance(seed));
      const { engine, deliveries } = await openOn(disk, true, 1_000);
      for (let i = 0; i < 12; i++)
        await engine.transact({ ...nothing, appends: [append("a", [`${i}`.padEnd(500, ".")])] });
      await settle();
      // The entry that settles them all fills its segment: the next one takes it away together with theirs.
      const settlements = deliveries.map((delivery) => done(delivery, 0, 1));
      expect(settlements).toHaveLength(12);
      await engine.transact({ ...nothing, settlements, counts: [["b", "filler".repeat(200), 1]] });
      disk.failure = (operation) => {
        if (operation === "remove" && disk.cutAfter === Number.POSITIVE_INFINITY)
          disk.cutAfter = 3 + (seed % 25);
        return undefined;
      };
      for (let i = 0; i < 10 && !disk.isOff; i++) {
        await engine
          .transact({ ...nothing, records: [{ key: "filler", value: Buffer.alloc(300) }] })
          .catch(() => undefined);
        await settle();
      }
      expect(disk.isOff).toBe(true);
      disk.failure = undefined;
      disk.powerOn();

      const again = await openOn(disk, true, 1_000);
      await settle();
      expect(pendingTexts(again.deliveries), `seed ${seed}`).toEqual([]);
      expect(again.engine.counts().get("a")?.get("completed")).toBe(12);
      expect(unaccounted(again.engine, "a")).toBe(0);
    }
  });

  test("are not made without need: a log that is opened and closed keeps its size", async () => {
    const disk = newDisk();
    await filled(disk);
    const before = disk.usedBytes;
    for (let i = 0; i < 20; i++) await (await openOn(disk, true, 1_000)).engine.close();

    expect(disk.usedBytes).toBeLessThan(before + 20 * 300);
    expect(pendingTexts((await openOn(disk, true, 1_000)).deliveries).length).toBeLessThanOrEqual(50);
  });

  test("of another version are refused in plain words", async () => {
    const disk = newDisk();
    await (await openOn(disk, true, 1_000)).engine.close();
    const { path, at } = find(disk, "version");
    const { scanSegment } = await import("../../src/streams/embedded/segment-scan.ts");
    const { encodeRecord } = await import("../../src/streams/embedded/log-record.ts");
    const heads: unknown[] = [];
    scanSegment(disk.bytesOf(path), true, (record) => heads.push(record.head));
    const head = { ...(heads[0] as object), version: 99 };
    disk.overwrite(path, 0, Buffer.concat(encodeRecord({ head, blobs: [] }, 1, 1).buffers));
    expect(at).toBeGreaterThan(0);

    await expect(openOn(disk, true, 1_000)).rejects.toMatchObject({ code: "MR_LOG_VERSION" });
  });
});

describe("a delay", () => {
  test("longer than a timer counts is kept to, also beyond 24 days", async () => {
    const disk = newDisk();
    const { engine, env, deliveries } = await openOn(disk, true, 10_000);
    await engine.transact({ ...nothing, appends: [append("a", ["in thirty days"], 30 * 86_400_000)] });

    env.advance(29 * 86_400_000);
    expect(deliveries).toHaveLength(0);
    env.advance(86_400_000);
    await settle();
    expect(pendingTexts(deliveries)).toEqual(["in thirty days"]);
  });

  test("of an item that is settled since leaves no timer behind after the next start", async () => {
    const disk = newDisk();
    const { engine, env, deliveries } = await openOn(disk, true, 10_000);
    for (let i = 0; i < 20; i++)
      await engine.transact({ ...nothing, appends: [append("a", [`item-${i}`], 10)] });
    env.advance(10);
    await settle();
    await settleAllBut(engine, deliveries, () => false);
    await engine.close();

    const again = await openOn(disk, true, 10_000);

    expect(again.env.timersPending).toBe(0);
  });

  test("that ends before a backlog has been handed out gives its item out once", async () => {
    const disk = newDisk();
    const { engine, env } = await openOn(disk, true, 100_000);
    await engine.open("d");
    const taken: Delivery[] = [];
    const deliveries = engine.consume("d", (delivery) => taken.push(delivery));
    for (let i = 0; i < 20; i++) {
      await engine.transact({ ...nothing, appends: [append("d", [`item-${i}`], i % 2 === 0 ? 5 : 0)] });
    }
    deliveries.want(3);
    env.advance(5);
    deliveries.want(100);
    await settle();

    expect(pendingTexts(taken).sort()).toEqual(Array.from({ length: 20 }, (_, i) => `item-${i}`).sort());
    expect(STREAMS).not.toContain("d");
  });
});

describe("a closed engine", () => {
  test("takes nothing more and has answered what it took", async () => {
    const disk = newDisk();
    const { engine } = await openOn(disk, true, 1_000);
    const given = Array.from({ length: 5 }, (_, i) =>
      engine.transact({ ...nothing, appends: [append("a", [`item-${i}`])] }),
    );
    const closing = engine.close();
    const late = engine.transact({ ...nothing, appends: [append("a", ["late"])] });

    await expect(late).rejects.toMatchObject({ code: "MR_STREAM_CLOSED" });
    await Promise.all(given);
    await closing;

    expect((await openOn(disk, true, 1_000)).engine.stats("a").unsettled).toBe(5);
  });
});

describe("a settlement by itself", () => {
  const LINGER_MS = 5;
  const opened = async () => {
    const disk = newDisk();
    const open = await openOn(disk, true, 1e6, undefined, LINGER_MS);
    await open.engine.transact({ ...nothing, appends: [append("a", ["one", "two", "three"])] });
    await settle();
    const delivery = open.deliveries[0] as Delivery;
    const settled: number[] = [];
    const settleItem = (place: number): void =>
      void open.engine
        .transact({ ...nothing, settlements: [done(delivery, place, place + 1)] })
        .then(() => settled.push(place));
    return { ...open, disk, settled, settleItem };
  };

  test("waits a little for others, and is flushed with them once", async () => {
    const { engine, env, disk, settled, settleItem } = await opened();
    const before = disk.operations;
    settleItem(0);
    await settle();
    env.advance(LINGER_MS - 1);
    settleItem(1);
    await settle();
    expect(settled).toEqual([]);
    expect(disk.operations).toBe(before);

    env.advance(1);
    await settle();
    expect(settled).toEqual([0, 1]);
    // One write, one flush.
    expect(disk.operations).toBe(before + 2);
    await engine.close();
  });

  test("goes with the next that somebody waits for, in its place", async () => {
    const { engine, disk, settled, settleItem } = await opened();
    const before = disk.operations;
    settleItem(0);
    await settle();
    await engine.transact({ ...nothing, appends: [append("b", ["four"])] });
    expect(settled).toEqual([0]);
    expect(disk.operations).toBe(before + 2);
    await engine.close();
  });

  test("is stored before the log is closed", async () => {
    const { engine, disk, settled, settleItem } = await opened();
    settleItem(0);
    await engine.close();
    await settle();
    expect(settled).toEqual([0]);
    const again = await openOn(disk, true, 1e6);
    await settle();
    expect(pendingTexts(again.deliveries)).toEqual(["two", "three"]);
    await again.engine.close();
  });
});
