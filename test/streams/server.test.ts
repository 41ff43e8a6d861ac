import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";
import { MESSAGE, STREAM_PROTOCOL_VERSION } from "../../src/streams/protocol.ts";
import { encodeMessage } from "../../src/wire/message.ts";
import {
  type HeldItem,
  SECRET,
  type StreamBench,
  type StreamClient,
  streamBench,
  until,
} from "../support/stream-bench.ts";
import { frameOf } from "../support/test-frames.ts";
import { unaccounted } from "./ledger-model.ts";

let bench: StreamBench;
let source: StreamClient;

beforeEach(async () => {
  bench = await streamBench(["work", "next"]);
  source = await bench.client("feed", "feed-1", "source");
});

afterEach(async () => {
  for (const stream of ["work", "next"]) expect(unaccounted(bench.engine, stream)).toBe(0);
  await bench.close();
});

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `item-${from + i}`);
const worker = (instance: string): Promise<StreamClient> => bench.client("work", instance, "worker");
const suspectOf = (instance: string): Promise<StreamClient> => bench.client("work", instance, "suspect");
const stats = (stream = "work"): { claimed: number; suspects: number; unsettled: number } => {
  const report = bench.server.report().find(({ name }) => name === stream);
  if (report === undefined) throw new Error(`no stream ${stream}`);
  return report;
};

describe("a hello is refused", () => {
  test.each([
    ["of another version", { version: STREAM_PROTOCOL_VERSION + 1 }, "MR_PROTOCOL_VERSION"],
    ["with a wrong secret", { secret: "guess" }, "MR_PROTOCOL"],
    ["for a stream that is not open", { stage: "unknown" }, "MR_STREAM_UNKNOWN"],
    ["with a role that does not exist", { role: "king" as "worker" }, "MR_PROTOCOL"],
  ])("%s", async (_what, change, code) => {
    await expect(bench.client("work", "w", "worker", change)).rejects.toMatchObject({ code });
  });

  test("and nothing that comes after it is done", async () => {
    const socket = await nodeEnv.net.connect(bench.path);
    let closed = false;
    socket.handle({ onData: () => undefined, onClose: () => (closed = true) });
    const hello = {
      version: STREAM_PROTOCOL_VERSION,
      role: "worker",
      stage: "unknown",
      instance: "w",
      secret: SECRET,
    };
    const transact = { n: 1, settle: [], append: [["next", 1, 0, true]], records: [], counts: [] };
    socket.write([
      ...encodeMessage(MESSAGE.hello, hello),
      ...encodeMessage(MESSAGE.transact, transact, [frameOf(["smuggled"])]),
    ]);
    socket.write(encodeMessage(MESSAGE.transact, transact, [frameOf(["smuggled"])]));
    await until(() => closed);

    expect(bench.engine.stats("next").appended).toBe(0);
  });

  test("when it is the second one of a connection", async () => {
    const w = await worker("w1");
    w.connection.send(MESSAGE.hello, {
      version: STREAM_PROTOCOL_VERSION,
      role: "worker",
      stage: "work",
      instance: "w2",
      secret: SECRET,
    });
    await until(() => w.isClosed);
    expect(w.refused[0]?.error.code).toBe("MR_PROTOCOL");
  });

  test("when another instance of the source is connected, and its appends too; not when that one has gone", async () => {
    await expect(bench.client("feed", "feed-2", "source")).rejects.toMatchObject({ code: "MR_CLAIM_LOST" });
    source.die();
    await bench.settled();
    const second = await bench.client("feed", "feed-2", "source");
    await second.append("work", ["item"]);
    expect(bench.engine.stats("work").unsettled).toBe(1);
  });
});

describe("work is shared out", () => {
  test("between two workers, in order, each item once", async () => {
    const [one, two] = [await worker("w1"), await worker("w2")];
    one.credit(100);
    two.credit(100);
    await bench.settled();
    await source.append("work", names(60));
    await until(() => one.held.length + two.held.length === 60);

    expect(one.held.length).toBeGreaterThan(10);
    expect(two.held.length).toBeGreaterThan(10);
    expect([...one.texts, ...two.texts].sort()).toEqual(names(60).sort());
    for (const { texts } of [one, two])
      expect(texts).toEqual([...texts].sort((a, b) => Number(a.slice(5)) - Number(b.slice(5))));
  });

  test("exactly up to the credit, whatever the size of the frames", async () => {
    const w = await worker("w1");
    for (let i = 0; i < 10; i++) await source.append("work", names(7, 7 * i));
    for (const credit of [1, 3, 10, 2, 20]) {
      const before = w.held.length;
      w.credit(credit);
      await until(() => w.held.length === before + credit);
      await bench.settled();
      expect(w.held.length).toBe(before + credit);
    }
    expect(w.texts).toEqual(names(36));
  });

  test("to a worker with little credit at a time, to the end of a large frame and beyond", async () => {
    const w = await worker("w1");
    w.credit(4);
    for (let i = 0; i < 3; i++) await source.append("work", names(100, 100 * i));
    const seen: string[] = [];
    for (let i = 0; i < 75; i++) {
      await until(() => w.held.length === 4);
      seen.push(...w.texts);
      await w.settle([...w.held]);
      w.credit(4);
    }
    expect(seen).toEqual(names(300));
    expect(stats().unsettled).toBe(0);
    await until(() => bench.control.events.some((event) => event.kind === "empty" && event.stage === "work"));
  });

  test("also when the items of one credit are larger than a message may be", async () => {
    const dead = await worker("w1");
    const large = "x".repeat(900 * 1024);
    for (let i = 0; i < 80; i++) await source.append("work", [`${i} ${large}`]);
    dead.credit(80);
    await until(() => dead.held.length === 80);
    dead.die();
    await bench.verdict(dead, { charge: false });

    const w = await worker("w2");
    w.credit(80);
    await until(() => w.held.length === 80 || w.isClosed);

    expect(w.isClosed).toBe(false);
    expect(w.texts.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: 80 }, (_, i) => i));
  });

  test("outputs, settlement, records and counts of one transaction are there together", async () => {
    const w = await worker("w1");
    w.credit(5);
    await source.append("work", names(5));
    await until(() => w.held.length === 5);
    const [first, second] = w.held;
    await w.transact(
      {
        settle: [
          [first?.frame as number, 0, 1, "completed"],
          [second?.frame as number, 1, 2, "dead"],
        ],
        append: [["next", 2, 0, true]],
        records: [["dead/work/1", true]],
        counts: [["work", "emitted", 2]],
      },
      [frameOf(["a", "b"]), Buffer.from("letter")],
    );

    expect(stats().unsettled).toBe(3);
    expect(stats("next").unsettled).toBe(2);
    expect((await bench.engine.records.get("dead/work/1"))?.toString()).toBe("letter");
    expect(Object.fromEntries(bench.engine.counts().get("work") ?? [])).toEqual({
      accepted: 5,
      completed: 1,
      dead: 1,
      emitted: 2,
    });
    const answer = await bench.control.connection.request("get", { key: "dead/work/1" });
    expect(Buffer.from(answer.value as Uint8Array).toString()).toBe("letter");
  });
});

describe("nothing is settled for somebody else", () => {
  test("a settlement of items that are not held is refused with all that came with it", async () => {
    const [one, two] = [await worker("w1"), await worker("w2")];
    await source.append("work", names(4));
    one.credit(4);
    await until(() => one.held.length === 4);
    const frame = one.held[0]?.frame as number;

    const theft = two.transact(
      {
        settle: [[frame, 0, 1, "completed"]],
        append: [["next", 1, 0, true]],
        records: [["key", true]],
        counts: [["work", "emitted", 1]],
      },
      [frameOf(["stolen"]), Buffer.from("x")],
    );

    await expect(theft).rejects.toMatchObject({ code: "MR_CLAIM_LOST" });
    expect(stats().unsettled).toBe(4);
    expect(stats("next").unsettled).toBe(0);
    expect(await bench.engine.records.get("key")).toBeUndefined();
    expect(bench.engine.counts().get("work")?.get("emitted")).toBeUndefined();
    await one.settle([...one.held]);
    expect(stats().unsettled).toBe(0);
  });

  test.each<[string, [number, number][]]>([
    [
      "twice",
      [
        [0, 2],
        [1, 3],
      ],
    ],
    ["beyond what is held", [[0, 5]]],
  ])("nor the same items %s", async (_what, ranges) => {
    const w = await worker("w1");
    await source.append("work", names(6));
    w.credit(4);
    await until(() => w.held.length === 4);
    const frame = w.held[0]?.frame as number;
    await expect(
      w.transact({ settle: ranges.map(([from, to]) => [frame, from, to, "completed"]) }),
    ).rejects.toMatchObject({
      code: "MR_CLAIM_LOST",
    });
    expect(stats().unsettled).toBe(6);
    await w.settle([...w.held]);
  });

  test("an instance that was taken for dead can settle nothing more", async () => {
    const [one, two] = [await worker("w1"), await worker("w2")];
    await source.append("work", names(2));
    one.credit(2);
    await until(() => one.held.length === 2);
    one.die();
    await bench.verdict(one, { charge: false });
    two.credit(2);
    await until(() => two.held.length === 2);
    // Its process has ended: what comes in its name comes too late.
    await expect(worker("w1")).rejects.toMatchObject({ code: "MR_CLAIM_LOST" });
    await two.settle([...two.held]);
    expect(stats().unsettled).toBe(0);
  });

  test("an instance that connects anew has let go of what it held, also while its old connection is still open", async () => {
    const old = await worker("w1");
    await source.append("work", names(3));
    old.credit(3);
    await until(() => old.held.length === 3);

    const again = await worker("w1");
    again.credit(3);
    await until(() => again.held.length === 3);

    expect(again.texts).toEqual(names(3));
    await until(() => old.isClosed);
    await again.settle([...again.held]);
    expect(stats()).toMatchObject({ unsettled: 0, claimed: 0 });
  });
});

describe("what a dead instance held", () => {
  /** A worker with `count` items in hand, of which it has begun the first `begun`. */
  async function inHand(instance: string, count: number, begun: number): Promise<StreamClient> {
    const w = await worker(instance);
    w.credit(count);
    await until(() => w.held.length === count);
    w.start(...w.held.slice(0, begun));
    await bench.settled();
    return w;
  }

  test.each(["before", "after"] as const)(
    "begun items are suspects, the others go back; the verdict comes %s the end of the connection",
    async (when) => {
      await source.append("work", names(5));
      const dead = await inHand("w1", 5, 2);
      let suspects: number;
      if (when === "before") {
        const verdict = bench.verdict(dead);
        await bench.settled();
        dead.die();
        suspects = await verdict;
      } else {
        dead.die();
        await bench.settled();
        suspects = await bench.verdict(dead);
      }
      const other = await worker("w2");
      other.credit(10);
      await until(() => other.held.length === 3);
      await bench.settled();

      expect(suspects).toBe(2);
      expect(other.texts).toEqual(names(3, 2));
      expect(other.held.every(({ mark }) => mark === undefined)).toBe(true);
      expect(stats()).toMatchObject({ unsettled: 5, claimed: 3, suspects: 2 });
      expect(bench.control.events).toContainEqual({ kind: "suspects", stage: "work", count: 2 });
      expect(bench.engine.counts().get("work")?.get("repeated:instance-died")).toBe(2);
    },
  );

  test("nothing is put back before the verdict: the process may be alive", async () => {
    await source.append("work", names(2));
    const gone = await inHand("w1", 2, 1);
    gone.die();
    const other = await worker("w2");
    other.credit(10);
    await bench.settled();
    await bench.settled();
    expect(other.held).toEqual([]);
    await bench.verdict(gone, { charge: false });
    await until(() => other.held.length === 2);
  });

  test("suspects run alone, one at a time, each settled before the next; who does not kill is innocent", async () => {
    await source.append("work", names(3));
    const dead = await inHand("w1", 3, 3);
    dead.die();
    await bench.verdict(dead);
    const other = await worker("w2");
    const alone = await suspectOf("s1");
    other.credit(10);
    alone.credit(10);
    for (let i = 0; i < 3; i++) {
      await until(() => alone.held.length === 1);
      await bench.settled();
      expect(alone.held).toHaveLength(1);
      expect(alone.held[0]).toMatchObject({ text: `item-${i}`, mark: { kills: 1, last: "signal SIGABRT" } });
      await alone.settle([...alone.held]);
    }
    expect(other.held).toEqual([]);
    expect(stats()).toMatchObject({ unsettled: 0, suspects: 0 });
  });

  test("the second death, alone, convicts: the item goes to a worker with its mark, to be dead-lettered", async () => {
    await source.append("work", names(2));
    const dead = await inHand("w1", 2, 2);
    dead.die();
    await bench.verdict(dead);
    const alone = await suspectOf("s1");
    alone.credit(1);
    await until(() => alone.held.length === 1);
    alone.start(...alone.held);
    await bench.settled();
    alone.die();
    expect(await bench.verdict(alone)).toBe(1);

    const w = await worker("w2");
    w.credit(10);
    await until(() => w.held.length === 1);

    expect(w.held[0]).toMatchObject({ text: "item-0", mark: { kills: 2 } });
    await w.settle([...w.held], "dead");
    const next = await suspectOf("s2");
    next.credit(1);
    await until(() => next.held.length === 1);
    expect(next.held[0]).toMatchObject({ text: "item-1", mark: { kills: 1 } });
  });

  test("a kill from outside is not held against items in company, and against one alone only the second time", async () => {
    await source.append("work", names(2));
    const dead = await inHand("w1", 2, 1);
    dead.die();
    await bench.verdict(dead, { external: true, what: "signal SIGKILL" });
    for (const kills of [0, 1]) {
      const alone = await suspectOf(`s${kills}`);
      alone.credit(1);
      await until(() => alone.held.length === 1);
      expect(alone.held[0]).toMatchObject({ text: "item-0", mark: { kills } });
      alone.start(...alone.held);
      await bench.settled();
      alone.die();
      await bench.verdict(alone, { external: true, what: "signal SIGKILL" });
    }
    const w = await worker("w2");
    w.credit(2);
    await until(() => w.held.length === 2);
    expect(w.held.find(({ text }) => text === "item-0")).toMatchObject({
      mark: { kills: 2, last: "signal SIGKILL" },
    });
  });

  test("a death that had begun nothing makes suspects of all it held", async () => {
    await source.append("work", names(3));
    const dead = await inHand("w1", 3, 0);
    dead.die();
    expect(await bench.verdict(dead)).toBe(3);
  });

  describe("a lone item, for an instance that calls what it gets at once,", () => {
    const quick = (instance: string): Promise<StreamClient> =>
      bench.client("work", instance, "worker", { callsAtOnce: true });

    test("is begun when it is handed out: a death is held against it", async () => {
      const dead = await quick("w1");
      dead.credit(10);
      await source.append("work", names(1));
      await until(() => dead.held.length === 1);
      expect(dead.begun).toBe(1);
      dead.die();
      expect(await bench.verdict(dead)).toBe(1);
      const alone = await suspectOf("s1");
      alone.credit(1);
      await until(() => alone.held.length === 1);
      expect(alone.held[0]).toMatchObject({ text: "item-0", mark: { kills: 1 } });
      expect(alone.begun).toBe(0);
      expect(bench.engine.counts().get("work")?.get("repeated:instance-died")).toBe(1);
    });

    test("is taken back by the instance when something keeps it from calling it: its death is not held against it", async () => {
      const dead = await quick("w1");
      dead.credit(10);
      await source.append("work", names(1));
      await until(() => dead.held.length === 1);
      const [{ frame, place }] = dead.held as [HeldItem];
      dead.connection.send(MESSAGE.unstarted, { ranges: [frame, place, place + 1] });
      await bench.settled();
      dead.die();
      expect(await bench.verdict(dead)).toBe(1);
      const alone = await suspectOf("s1");
      alone.credit(1);
      await until(() => alone.held.length === 1);
      expect(alone.held[0]).toMatchObject({ text: "item-0", mark: { kills: 0 } });
      expect(bench.engine.counts().get("work")?.get("repeated:instance-died")).toBeUndefined();
    });

    test("is not when it has something in hand, nor are several, nor is one for an instance that does not say so", async () => {
      const busy = await quick("w1");
      busy.credit(10);
      await source.append("work", names(2));
      await until(() => busy.held.length === 2);
      await source.append("work", names(1, 2));
      await until(() => busy.held.length === 3);
      expect(busy.begun).toBe(0);
      busy.credit(0);
      await busy.settle([...busy.held]);
      await source.append("work", names(1, 3));
      await until(() => busy.texts.includes("item-3"));
      expect(busy.begun).toBe(1);
      busy.die();
      await bench.verdict(busy, { charge: false });

      const slow = await worker("w2");
      slow.credit(1);
      await until(() => slow.held.length === 1);
      expect(slow.begun).toBe(0);
    });
  });

  test("a culprit alone is charged, with its time-out; all go back to workers", async () => {
    await source.append("work", names(4));
    const dead = await inHand("w1", 4, 3);
    const culprit = dead.held[1];
    dead.die();
    expect(
      await bench.verdict(dead, {
        culprit: { frame: culprit?.frame as number, place: culprit?.place as number },
        what: "call time-out",
      }),
    ).toBe(1);
    const w = await worker("w2");
    w.credit(4);
    await until(() => w.held.length === 4);

    expect(w.held.map(({ mark }) => mark?.timedOut === true)).toEqual([false, true, false, false]);
    expect(w.held.map(({ mark }) => mark?.kills ?? 0)).toEqual([0, 0, 0, 0]);
    expect(bench.engine.counts().get("work")?.get("repeated:instance-died")).toBe(2);
  });

  test("an uncharged verdict marks nothing", async () => {
    await source.append("work", names(3));
    const dead = await inHand("w1", 3, 2);
    dead.die();
    expect(await bench.verdict(dead, { charge: false })).toBe(0);
    const w = await worker("w2");
    w.credit(3);
    await until(() => w.held.length === 3);
    expect(w.texts).toEqual(names(3));
    expect(w.held.every(({ mark }) => mark === undefined)).toBe(true);
  });

  test("what it says it has begun counts only for what it holds", async () => {
    await source.append("work", names(4));
    const liar = await worker("w1");
    liar.credit(2);
    await until(() => liar.held.length === 2);
    liar.connection.send(MESSAGE.started, { ranges: [liar.held[0]?.frame as number, 0, 1_000_000_000] });
    await bench.settled();
    liar.die();
    expect(await bench.verdict(liar)).toBe(2);
    expect(stats()).toMatchObject({ suspects: 2 });
  });

  test("a verdict on somebody who holds nothing, or was never there, is answered", async () => {
    const idle = await worker("w1");
    idle.die();
    await bench.settled();
    expect(await bench.verdict(idle)).toBe(0);
    const early = await bench.client("work", "w3", "worker");
    const verdict = bench.verdict(early);
    early.die();
    expect(await verdict).toBe(0);
    source.die();
    expect(await bench.verdict(source)).toBe(0);
  });
});

describe("a peer that breaks the protocol hurts nobody else", () => {
  /** Everybody else goes on working. */
  async function expectAlive(): Promise<void> {
    const w = await worker(`check-${performance.now()}`);
    await source.append("work", ["check"]);
    w.credit(1);
    await until(() => w.held.length === 1);
    expect(w.texts).toEqual(["check"]);
    await w.settle([...w.held]);
    w.die();
    await bench.settled();
  }

  test.each<[string, Buffer]>([
    ["garbage", Buffer.from("GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")],
    ["a length of 4 GiB, and no more", Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ["a length of 60 MB before it has said who it is", Buffer.from([0, 0, 0xa0, 3])],
    ["zeros", Buffer.alloc(100_000)],
    ["a message without a hello", Buffer.concat(encodeMessage(MESSAGE.credit, { items: 5 }))],
    ["a hello without a head", Buffer.concat(encodeMessage(MESSAGE.hello, null))],
  ])("%s", async (_what, bytes) => {
    const socket = await nodeEnv.net.connect(bench.path);
    let closed = false;
    socket.handle({ onData: () => undefined, onClose: () => (closed = true) });
    socket.write([bytes]);
    await until(() => closed);
    await expectAlive();
  });

  test("not even if it stays connected for ever and goes on sending", async () => {
    const { createConnection } = await import("node:net");
    const socket = createConnection({ path: bench.path, allowHalfOpen: true });
    let closed = false;
    socket
      .on("error", () => undefined)
      .on("close", () => {
        closed = true;
      });
    const timer = setInterval(() => socket.write(Buffer.alloc(64 * 1024, 0xff)), 2);
    await until(() => closed);
    clearInterval(timer);
    await expectAlive();
  });

  const good = { n: 1, settle: [], append: [], records: [], counts: [] };
  test.each<[string, number, unknown, Buffer[]]>([
    ["a transaction without a head", MESSAGE.transact, null, []],
    ["a transaction without lists", MESSAGE.transact, { n: 1 }, []],
    ["a list that is none", MESSAGE.transact, { ...good, settle: "all" }, []],
    ["an entry that is none", MESSAGE.transact, { ...good, append: [5] }, []],
    ["counts that are none", MESSAGE.transact, { ...good, counts: [["work", "accepted", "many"]] }, []],
    ["a frame that is missing", MESSAGE.transact, { ...good, append: [["work", 1, 0, true]] }, []],
    [
      "a frame that is none",
      MESSAGE.transact,
      { ...good, append: [["work", 1, 0, true]] },
      [Buffer.from("frame")],
    ],
    [
      "a frame of other items than it says",
      MESSAGE.transact,
      { ...good, append: [["work", 9, 0, true]] },
      [frameOf(["a"])],
    ],
    [
      "a delay that is none",
      MESSAGE.transact,
      { ...good, append: [["work", 1, Number.NaN, true]] },
      [frameOf(["a"])],
    ],
    ["a range backwards", MESSAGE.transact, { ...good, settle: [[1, 3, 1, "completed"]] }, []],
    ["an outcome that does not exist", MESSAGE.transact, { ...good, settle: [[1, 0, 1, "eaten"]] }, []],
    ["a credit that is none", MESSAGE.credit, { items: Number.NaN }, []],
    ["a credit below zero", MESSAGE.credit, { items: -1e9 }, []],
    ["ranges that are none", MESSAGE.started, { ranges: 5 }, []],
    ["a request without a head", MESSAGE.request, null, []],
    ["a request that only the agent may make", MESSAGE.request, { id: 1, verb: "stats", ask: {} }, []],
    ["a message that does not exist", 99, {}, []],
  ])("nor does an instance that sends %s", async (_what, type, head, blobs) => {
    const w = await worker("w-bad");
    w.connection.send(type, head, blobs);
    await bench.settled();
    w.die();
    await expectAlive();
    expect(bench.control.events.filter((event) => event.kind === "engine-failed")).toEqual([]);
    expect(stats().unsettled).toBe(0);
  });
});

describe("when the engine refuses a transaction", () => {
  test("nothing of it is done, the agent is told, and the items are not lost", async () => {
    class FullLog extends MemoryLog {
      isFull = false;
      override append(...args: Parameters<MemoryLog["append"]>): ReturnType<MemoryLog["append"]> {
        if (this.isFull)
          return Promise.reject(Object.assign(new Error("disk full"), { code: "MR_DISK_FULL" }));
        return super.append(...args);
      }
    }
    const log = new FullLog();
    const full = await streamBench(
      ["work"],
      (await EmbeddedEngine.open(nodeEnv, () => log, "nothing")).engine,
    );
    try {
      const feed = await full.client("feed", "f", "source");
      await feed.append("work", names(3));
      const w = await full.client("work", "w", "worker");
      w.credit(3);
      await until(() => w.held.length === 3);
      log.isFull = true;

      await expect(w.settle([...w.held])).rejects.toThrow("disk full");

      expect(full.engine.stats("work").unsettled).toBe(3);
      expect(full.control.events).toContainEqual(expect.objectContaining({ kind: "engine-failed" }));
    } finally {
      await full.close();
    }
  });
});
