import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type {
  Append,
  Deliveries,
  Delivery,
  Outcome,
  Settlement,
  StreamEngine,
  Transaction,
} from "../../src/streams/contract.ts";
import { OUTCOMES } from "../../src/streams/contract.ts";
import { until } from "../support/stream-bench.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";

/** What the suite needs of an engine and its world. */
export interface EngineUnderTest {
  open(): Promise<StreamEngine>;
  /** The engine's process dies, without a word, and another one opens what it left. */
  killAndReopen(): Promise<StreamEngine>;
  /** Makes the store full, or gives it room again. */
  setFull(isFull: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface StreamContractOptions {
  /** False for an engine that promises to keep nothing: there is no kill to survive and no disk to fill. */
  readonly keeps?: boolean;
  /** Tests that this engine cannot pass, each with the reason. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

const nothing: Transaction = { settlements: [], appends: [], records: [], marks: [], counts: [] };

const append = (stream: string, texts: readonly string[], change: Partial<Append> = {}): Append => ({
  stream,
  frame: frameOf(texts),
  count: texts.length,
  delayMs: 0,
  isNew: true,
  ...change,
});

const settlement = (
  { stream, frame }: Delivery,
  from: number,
  to: number,
  outcome: Outcome = "completed",
): Settlement => ({
  stream,
  frame,
  from,
  to,
  outcome,
});

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `item-${from + i}`);

/** Takes what a stream hands out. */
class Taker {
  readonly got: Delivery[] = [];
  readonly deliveries: Deliveries;

  constructor(engine: StreamEngine, stream: string, want = 0) {
    this.deliveries = engine.consume(stream, (delivery) => this.got.push(delivery));
    if (want > 0) this.deliveries.want(want);
  }

  /** Texts of all items that are still to be done. */
  get texts(): string[] {
    return this.got.flatMap(({ content: { bytes }, pending }) =>
      pending.flatMap(([from, to]) => textsOf(bytes).slice(from, to)),
    );
  }

  async upTo(items: number): Promise<string[]> {
    await until(() => this.texts.length >= items);
    return this.texts;
  }
}

/** One suite for every stream engine: what the streams server relies on. */
export function streamContract(
  name: string,
  start: () => Promise<EngineUnderTest>,
  options: StreamContractOptions = {},
): void {
  const skipped = new Map(options.skip?.flatMap(({ reason, tests }) => tests.map((test) => [test, reason])));
  const known = new Set<string>();
  let world: EngineUnderTest;
  let engine: StreamEngine;

  const keeps = options.keeps ?? true;
  const check = (title: string, run: () => Promise<void>, needs: { toKeep?: boolean } = {}): void => {
    known.add(title);
    if (needs.toKeep === true && !keeps) return;
    const reason = skipped.get(title);
    if (reason === undefined) test(title, run);
    else test.skip(`${title} (${reason})`, run);
  };
  const reopen = async (...streams: string[]): Promise<void> => {
    engine = await world.killAndReopen();
    for (const stream of streams) await engine.open(stream);
  };
  const lawHolds = (stream: string): void => {
    const counters = engine.counts().get(stream);
    let settled = 0;
    for (const outcome of OUTCOMES) if (outcome !== "retried") settled += counters?.get(outcome) ?? 0;
    expect((counters?.get("accepted") ?? 0) - settled - engine.stats(stream).unsettled).toBe(0);
  };

  describe(`stream contract: ${name}`, () => {
    beforeEach(async () => {
      world = await start();
      engine = await world.open();
      await engine.open("a");
      await engine.open("b");
    });

    afterEach(async () => {
      await world.close();
    });

    check("hands out what was appended, byte for byte, in order", async () => {
      const frames = Array.from({ length: 50 }, (_, i) => append("a", names(3, 3 * i)));
      for (const frame of frames) await engine.transact({ ...nothing, appends: [frame] });
      const taker = new Taker(engine, "a", 1_000);

      expect(await taker.upTo(150)).toEqual(names(150));
      for (const [
        i,
        {
          content: { bytes },
        },
      ] of taker.got.entries())
        expect(bytes.equals(frames[i]?.frame as Buffer)).toBe(true);
      expect(new Set(taker.got.map(({ frame }) => frame)).size).toBe(50);
    });

    check("keeps the order of transactions that are given at once", async () => {
      const taker = new Taker(engine, "a", 1_000);
      await Promise.all(
        names(100).map((item) => engine.transact({ ...nothing, appends: [append("a", [item])] })),
      );
      expect(await taker.upTo(100)).toEqual(names(100));
    });

    check("keeps streams apart", async () => {
      await engine.transact({ ...nothing, appends: [append("a", ["for a"]), append("b", ["for b"])] });
      const [a, b] = [new Taker(engine, "a", 10), new Taker(engine, "b", 10)];
      expect(await a.upTo(1)).toEqual(["for a"]);
      expect(await b.upTo(1)).toEqual(["for b"]);
    });

    check("gives no more than is wanted, rounded up to whole frames", async () => {
      for (let i = 0; i < 10; i++)
        await engine.transact({ ...nothing, appends: [append("a", names(4, 4 * i))] });
      const taker = new Taker(engine, "a");
      expect(taker.got).toHaveLength(0);
      taker.deliveries.want(1);
      expect(await taker.upTo(4)).toEqual(names(4));
      await engine.transact({ ...nothing, counts: [["a", "emitted", 1]] });
      // Whole frames, and a few that an engine may have read ahead: never the whole backlog for one item.
      expect(taker.texts.length).toBeLessThanOrEqual(36);
    });

    check("goes on giving for every wish, however small beside the frames", async () => {
      for (let i = 0; i < 4; i++)
        await engine.transact({ ...nothing, appends: [append("a", names(100, 100 * i))] });
      const taker = new Taker(engine, "a");
      for (let i = 1; i <= 4; i++) {
        taker.deliveries.want(3);
        await taker.upTo(100 * i);
      }
      expect(taker.texts).toEqual(names(400));
    });

    check("hands out what comes after it was wanted", async () => {
      const taker = new Taker(engine, "a", 10);
      await engine.transact({ ...nothing, appends: [append("a", ["late"])] });
      expect(await taker.upTo(1)).toEqual(["late"]);
    });

    check(
      "hands everything that is not settled out again after a kill, and nothing that is",
      async () => {
        for (let i = 0; i < 10; i++)
          await engine.transact({ ...nothing, appends: [append("a", [`item-${i}`])] });
        const before = new Taker(engine, "a", 100);
        await before.upTo(10);
        await engine.transact({
          ...nothing,
          settlements: before.got.slice(0, 4).map((d) => settlement(d, 0, 1)),
        });

        await reopen("a");
        const after = new Taker(engine, "a", 100);

        expect(await after.upTo(6)).toEqual(names(6, 4));
        expect(engine.stats("a")).toMatchObject({ unsettled: 6, delayed: 0, appended: 10 });
        lawHolds("a");
      },
      { toKeep: true },
    );

    check(
      "keeps partial settlements of a frame over a kill",
      async () => {
        await engine.transact({ ...nothing, appends: [append("a", names(10))] });
        const taker = new Taker(engine, "a", 10);
        await taker.upTo(10);
        const [delivery] = taker.got as [Delivery];
        await engine.transact({
          ...nothing,
          settlements: [settlement(delivery, 2, 4), settlement(delivery, 7, 8, "filtered")],
        });
        await engine.transact({ ...nothing, settlements: [settlement(delivery, 3, 5)] });

        await reopen("a");
        const after = new Taker(engine, "a", 10);
        await after.upTo(6);

        expect(after.got[0]?.pending).toEqual([
          [0, 2],
          [5, 7],
          [8, 10],
        ]);
        expect(engine.counts().get("a")?.get("completed")).toBe(3);
        expect(engine.counts().get("a")?.get("filtered")).toBe(1);
        lawHolds("a");
      },
      { toKeep: true },
    );

    check("counts an item that is settled twice once", async () => {
      await engine.transact({ ...nothing, appends: [append("a", names(3))] });
      const taker = new Taker(engine, "a", 10);
      await taker.upTo(3);
      const [delivery] = taker.got as [Delivery];
      for (let i = 0; i < 3; i++)
        await engine.transact({ ...nothing, settlements: [settlement(delivery, 0, 2)] });
      await engine.transact({ ...nothing, settlements: [settlement(delivery, 0, 3)] });
      await engine.transact({ ...nothing, settlements: [settlement(delivery, 0, 3)] });

      expect(engine.counts().get("a")?.get("completed")).toBe(3);
      lawHolds("a");
      if (keeps) await reopen("a");
      expect(engine.counts().get("a")?.get("completed")).toBe(3);
      lawHolds("a");
    });

    check(
      "a transaction is there as a whole after a kill",
      async () => {
        await engine.transact({ ...nothing, appends: [append("a", names(3))] });
        const taker = new Taker(engine, "a", 10);
        await taker.upTo(3);
        await engine.transact({
          settlements: [settlement(taker.got[0] as Delivery, 0, 2)],
          appends: [append("b", ["out-0", "out-1"]), append("a", ["again"], { isNew: false })],
          records: [{ key: "token", value: Buffer.from("7") }],
          marks: [],
          counts: [["a", "emitted", 2]],
        });

        await reopen("a", "b");

        expect(engine.stats("a").unsettled).toBe(2);
        expect(engine.stats("b").unsettled).toBe(2);
        expect((await engine.records.get("token"))?.toString()).toBe("7");
        expect(Object.fromEntries(engine.counts().get("a") ?? [])).toEqual({
          accepted: 3,
          completed: 2,
          emitted: 2,
        });
        expect(engine.counts().get("b")?.get("accepted")).toBe(2);
      },
      { toKeep: true },
    );

    check(
      "keeps marks until their item is settled",
      async () => {
        await engine.transact({ ...nothing, appends: [append("a", names(3))] });
        const taker = new Taker(engine, "a", 10);
        await taker.upTo(3);
        const { frame } = taker.got[0] as Delivery;
        await engine.transact({
          ...nothing,
          marks: [
            { stream: "a", frame, place: 1, mark: { kills: 1, last: "signal SIGSEGV", at: 7 } },
            {
              stream: "a",
              frame,
              place: 2,
              mark: { kills: 0, timedOut: true, last: "call time-out", at: 8 },
            },
          ],
        });

        await reopen("a");
        const after = new Taker(engine, "a", 10);
        await after.upTo(3);

        expect([...(after.got[0]?.marks ?? [])]).toEqual([
          [1, { kills: 1, last: "signal SIGSEGV", at: 7 }],
          [2, { kills: 0, timedOut: true, last: "call time-out", at: 8 }],
        ]);
      },
      { toKeep: true },
    );

    check("holds a delayed frame back, counts it, and hands it out when its time has come", async () => {
      const taker = new Taker(engine, "a", 100);
      const started = performance.now();
      await engine.transact({
        ...nothing,
        appends: [append("a", ["later"], { delayMs: 120 }), append("a", ["now"])],
      });

      expect(await taker.upTo(1)).toEqual(["now"]);
      expect(engine.stats("a")).toMatchObject({ unsettled: 2, delayed: 1, appended: 2 });
      expect(await taker.upTo(2)).toEqual(["now", "later"]);
      expect(performance.now() - started).toBeGreaterThan(110);
      expect(engine.stats("a")).toMatchObject({ unsettled: 2, delayed: 0, appended: 2 });
    });

    check(
      "hands a delayed frame out after a kill as well",
      async () => {
        await engine.transact({ ...nothing, appends: [append("a", ["later"], { delayMs: 50 })] });
        await reopen("a");
        expect(await new Taker(engine, "a", 100).upTo(1)).toEqual(["later"]);
      },
      { toKeep: true },
    );

    check("carries the largest frame that it declares", async () => {
      const most = engine.capabilities.maxFrameBytes;
      const overhead = frameOf(["x".repeat(100_000)]).length - 100_000;
      const large = append("a", ["x".repeat(most - overhead - 8)]);
      expect(large.frame.length).toBeGreaterThan(most - 16);
      await engine.transact({ ...nothing, appends: [large] });
      if (keeps) await reopen("a");
      const taker = new Taker(engine, "a", 10);
      await taker.upTo(1);
      expect(taker.got[0]?.content.bytes.equals(large.frame)).toBe(true);
    });

    check("refuses to hand out a stream that was not opened", async () => {
      expect(() => engine.consume("unknown", () => undefined)).toThrow(
        expect.objectContaining({ code: "MR_STREAM_UNKNOWN" }),
      );
    });

    check("opens a stream as often as it is asked to", async () => {
      await engine.transact({ ...nothing, appends: [append("a", names(2))] });
      await engine.open("a");
      await engine.open("a");
      expect(engine.stats("a").unsettled).toBe(2);
    });

    check(
      "appended grows with every append, also of retries, and over a kill",
      async () => {
        await engine.transact({ ...nothing, appends: [append("a", names(3))] });
        await engine.transact({ ...nothing, appends: [append("a", ["again"], { isNew: false })] });
        expect(engine.stats("a").appended).toBe(4);
        await reopen("a");
        expect(engine.stats("a").appended).toBe(4);
      },
      { toKeep: true },
    );

    check(
      "records are put, read, replaced, removed, and kept over a kill",
      async () => {
        const { records } = engine;
        await records.put("k/1", Buffer.from("one"));
        await records.put("k/2", Buffer.from("two"));
        await records.put("k/1", Buffer.from("ONE"));
        await records.put("k/3", Buffer.alloc(0));
        await records.delete("k/2");
        await records.delete("never");

        await reopen("a");

        expect((await engine.records.get("k/1"))?.toString()).toBe("ONE");
        expect(await engine.records.get("k/2")).toBeUndefined();
        expect((await engine.records.get("k/3"))?.length).toBe(0);
        expect(engine.records.count("k/")).toBe(2);
        expect(engine.records.count("")).toBe(2);
      },
      { toKeep: true },
    );

    check("records are listed by prefix, in order, page by page", async () => {
      const keys = Array.from({ length: 25 }, (_, i) => `p/${(i * 7) % 25}`);
      for (const key of keys) await engine.records.put(key, Buffer.from(key));
      await engine.records.put("q/1", Buffer.from("other"));
      const seen: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await engine.records.scan("p/", cursor, 10);
        expect(page.entries.length).toBeLessThanOrEqual(10);
        for (const { key, value } of page.entries) {
          expect(value.toString()).toBe(key);
          seen.push(key);
        }
        cursor = page.cursor;
        if (cursor === undefined) break;
        // What changes meanwhile disturbs nothing that is there all along.
        await engine.records.delete("q/1");
      }
      expect(seen).toEqual([...keys].sort());
    });

    check("a record is set only if it is what was expected; of many at once one is", async () => {
      const { records } = engine;
      expect(await records.compareAndSet("c", Buffer.from("x"), Buffer.from("1"))).toBe(false);
      expect(await records.compareAndSet("c", undefined, Buffer.from("1"))).toBe(true);
      expect(await records.compareAndSet("c", undefined, Buffer.from("2"))).toBe(false);
      const all = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          records.compareAndSet("c", Buffer.from("1"), Buffer.from(`winner ${i}`)),
        ),
      );
      expect(all.filter(Boolean)).toHaveLength(1);
      expect((await records.get("c"))?.toString()).toBe(`winner ${all.indexOf(true)}`);
    });

    check(
      "a full store refuses with MR_DISK_FULL, keeps nothing of what it refused, and goes on when there is room",
      async () => {
        await engine.transact({ ...nothing, appends: [append("a", names(2))] });
        await world.setFull(true);

        await expect(
          engine.transact({
            ...nothing,
            appends: [append("a", ["refused"])],
            records: [{ key: "refused", value: Buffer.alloc(100) }],
          }),
        ).rejects.toMatchObject({ code: "MR_DISK_FULL" });
        expect(engine.stats("a")).toMatchObject({ unsettled: 2, delayed: 0, appended: 2 });
        expect(await engine.records.get("refused")).toBeUndefined();
        await world.setFull(false);
        await engine.transact({ ...nothing, appends: [append("a", ["taken"])] });

        await reopen("a");
        expect(await new Taker(engine, "a", 10).upTo(3)).toEqual([...names(2), "taken"]);
        expect(await engine.records.get("refused")).toBeUndefined();
        lawHolds("a");
      },
      { toKeep: true },
    );

    check("takes nothing after it was closed", async () => {
      await engine.close();
      await expect(engine.transact({ ...nothing, appends: [append("a", ["late"])] })).rejects.toMatchObject({
        code: "MR_STREAM_CLOSED",
      });
    });

    test("every skip names a test of this suite", () => {
      expect([...skipped.keys()].filter((title) => !known.has(title))).toEqual([]);
    });
  });
}
