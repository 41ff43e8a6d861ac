import { expect, test } from "vitest";
import { BrokerEngine } from "../../../src/streams/brokers/broker-engine.ts";
import { engineError } from "../../../src/streams/brokers/engine-error.ts";
import { type Delivery, NOTHING, type Settlement, type Transaction } from "../../../src/streams/contract.ts";
import { SegmentLog } from "../../../src/streams/embedded/segment-log.ts";
import { FakeBroker } from "../../support/fake-broker.ts";
import { FakeDisk, seededChance } from "../../support/fake-disk.ts";
import { type FakeEnv, fakeEnv } from "../../support/fake-env.ts";
import { frameOf, textsOf } from "../../support/test-frames.ts";
import { unaccounted } from "../ledger-model.ts";

const QUEUE = "run.a";

/** One life of an engine, and what it says and hands out. */
class Life {
  readonly env: FakeEnv;
  readonly broker: FakeBroker;
  readonly disk: FakeDisk;
  readonly troubles: (string | undefined)[] = [];
  readonly quarantined: { items: number; problem: string }[] = [];
  readonly notices: string[] = [];
  readonly got: Delivery[] = [];
  engine!: BrokerEngine;

  constructor(broker = new FakeBroker(), disk = new FakeDisk(seededChance(1))) {
    this.broker = broker;
    this.disk = disk;
    this.env = fakeEnv(disk);
  }

  async open(change: { waits?: boolean } = {}): Promise<this> {
    const { env, broker } = this;
    const { engine } = await BrokerEngine.open(env, {
      log: (snapshot) =>
        new SegmentLog(env, { directory: "/log", sync: true, snapshot, segmentBytes: 4_096 }),
      survives: "power-loss",
      broker,
      queueOf: (stream) => `run.${stream}`,
      waits: false,
      ...change,
    });
    this.engine = engine;
    engine.onTrouble((text) => this.troubles.push(text));
    engine.onNotice((text) => this.notices.push(text));
    engine.onQuarantine((_stream, _frame, items, problem) => this.quarantined.push({ items, problem }));
    await engine.open("a");
    return this;
  }

  consume(inOrder = false): void {
    this.engine.consume("a", (delivery) => this.got.push(delivery), { inOrder }).want(1e6);
  }

  append(...texts: string[]): Promise<void> {
    const appends = texts.map((text) => ({
      stream: "a",
      frame: frameOf([text]),
      count: 1,
      delayMs: 0,
      isNew: true,
    }));
    return this.engine.transact({ ...NOTHING, appends });
  }

  settle(...deliveries: readonly Delivery[]): Promise<void> {
    const settlements = deliveries.map(
      ({ frame, content }): Settlement => ({
        stream: "a",
        frame,
        from: 0,
        to: content.count,
        outcome: "completed",
      }),
    );
    return this.engine.transact({ ...NOTHING, settlements });
  }

  get texts(): string[] {
    return this.got.flatMap(({ content }) => textsOf(content.bytes));
  }

  /** Lets all happen that needs no time. */
  async turn(): Promise<void> {
    for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass, with all that happens meanwhile. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      this.env.advance(Math.min(1_000, left));
      await this.turn();
    }
  }
}

/** How a promise stands. */
function watch(promise: Promise<void>): { state: string } {
  const seen = { state: "waiting" };
  promise.then(
    () => {
      seen.state = "done";
    },
    (error: { code?: string }) => {
      seen.state = error.code ?? "failed";
    },
  );
  return seen;
}

test("a transaction waits for what was given before it, never for what came later", async () => {
  const life = await new Life(new FakeBroker({ chance: () => 0 })).open();
  const { broker, engine } = life;
  const count = (): { state: string } =>
    watch(engine.transact({ ...NOTHING, counts: [["a", "emitted", 1]] }));
  const before = count();
  const append = watch(life.append("one"));
  const after = count();
  await life.turn();
  expect([before, append, after].map(({ state }) => state)).toEqual(["done", "waiting", "waiting"]);
  expect(engine.stats("a").unsettled).toBe(0);

  while (broker.step());
  await life.turn();
  expect([append, after].map(({ state }) => state)).toEqual(["done", "done"]);
  await engine.close();
});

test("while the broker is away new frames wait, what is in hand goes on; both are told once, and it goes on by itself", async () => {
  const life = await new Life().open();
  const { broker, troubles } = life;
  life.consume();
  await life.append("one", "two");
  await life.turn();
  expect(life.texts).toEqual(["one", "two"]);

  broker.problem = engineError.unreachable("Fake 1.0", "ECONNREFUSED");
  broker.loseSessions();
  await life.settle(life.got[0] as Delivery);
  const waiting = watch(life.append("three"));
  await life.pass(60_000);
  expect(waiting.state).toBe("waiting");
  expect(troubles).toEqual(["Fake 1.0: the connection is lost"]);
  expect(life.engine.stats("a").unsettled).toBe(1);

  broker.problem = undefined;
  await life.pass(20_000);
  expect(waiting.state).toBe("done");
  expect(troubles).toEqual(["Fake 1.0: the connection is lost", undefined]);
  expect(life.texts).toEqual(["one", "two", "three"]);
  await life.settle(...life.got.slice(1));
  await life.turn();
  expect(broker.numbers(QUEUE)).toEqual([]);
  expect(life.quarantined).toEqual([]);
  await life.engine.close();
});

test("another reason to be away is told as well; a person may mend it", async () => {
  const life = await new Life().open();
  const { broker, troubles } = life;
  broker.problem = engineError.refused("Fake 1.0", "ACCESS_REFUSED");
  broker.loseSessions();
  await life.pass(60_000);
  broker.problem = undefined;
  await life.pass(20_000);
  expect(troubles).toEqual([
    "Fake 1.0: the connection is lost",
    "Fake 1.0: it refuses to work with us (ACCESS_REFUSED)",
    undefined,
  ]);
  await life.engine.close();
});

test("a broker that takes nothing is told of once, and sent what waits when it takes it again", async () => {
  const life = await new Life().open();
  life.broker.block("memory alarm");
  const waiting = watch(life.append("one"));
  // Some refuse what is on its way as well: it is the same trouble.
  life.broker.refuses = 1;
  await life.pass(10_000);
  life.broker.refuses = 0;
  expect(waiting.state).toBe("waiting");
  life.broker.block(undefined);
  await life.pass(10_000);
  expect(waiting.state).toBe("done");
  expect(life.troubles).toEqual(["Fake 1.0: it takes nothing at present (memory alarm)", undefined]);
  await life.engine.close();
});

test("what a full queue refuses is sent again until it is taken, in order", async () => {
  const life = await new Life().open();
  life.consume(true);
  life.broker.refuses = 1;
  const texts = Array.from({ length: 20 }, (_, i) => `item-${i}`);
  const all = texts.map((text) => watch(life.append(text)));
  await life.pass(30_000);
  expect(new Set(all.map(({ state }) => state))).toEqual(new Set(["waiting"]));
  expect(life.troubles).toEqual(["Fake 1.0: run.a takes no more (no room)"]);

  life.broker.refuses = 0;
  await life.pass(10_000);
  expect(new Set(all.map(({ state }) => state))).toEqual(new Set(["done"]));
  expect(life.texts).toEqual(texts);
  expect(life.troubles).toEqual(["Fake 1.0: run.a takes no more (no room)", undefined]);
  await life.engine.close();
});

test("a full queue is emptied by the settlements behind the frames that it refuses", async () => {
  const life = await new Life().open();
  life.broker.room = 2;
  life.consume(true);
  const texts = Array.from({ length: 12 }, (_, i) => `item-${i}`);
  const all = texts.map((text) => watch(life.append(text)));
  for (let done = 0; done < texts.length && life.env.clock.mono() < 300_000; ) {
    await life.pass(1_000);
    const more = life.got.slice(done);
    done += more.length;
    for (const delivery of more) void life.settle(delivery);
  }
  await life.pass(5_000);
  expect(life.texts).toEqual(texts);
  expect(new Set(all.map(({ state }) => state))).toEqual(new Set(["done"]));
  expect(life.engine.stats("a").unsettled).toBe(0);
  await life.engine.close();
});

test("behind frames that a full queue refuses, what depends on them waits: its own stage's order, a record, a stream", async () => {
  const life = await new Life().open();
  const { engine, broker } = life;
  await engine.open("b");
  await life.append("one", "two", "three");
  life.consume(true);
  await life.turn();
  const [one, two, three] = life.got as [Delivery, Delivery, Delivery];
  const settled = ({ frame }: Delivery): Settlement => ({
    stream: "a",
    frame,
    from: 0,
    to: 1,
    outcome: "completed",
  });
  const into = (stream: string, text: string) => ({
    stream,
    frame: frameOf([text]),
    count: 1,
    delayMs: 0,
    isNew: true,
  });
  const token = (text: string) => [{ key: "token", value: Buffer.from(text) }];
  broker.room = 3;
  broker
    .queue("run.b")
    .push(...[1, 2, 3].map(() => ({ number: 1, bytes: Buffer.alloc(1), holder: undefined })));
  const does = (part: Partial<Transaction>): { state: string } =>
    watch(engine.transact({ ...NOTHING, ...part }));
  const first = does({ settlements: [settled(one)], appends: [into("b", "of one")], records: token("1") });
  const sameStage = does({ settlements: [settled(two)] });
  const sameRecord = does({ records: token("2") });
  const sameStream = does({ appends: [into("b", "of none")] });
  const other = does({ counts: [["a", "emitted", 1]] });
  await life.pass(10_000);
  const states = (): string[] => [first, sameStage, sameRecord, sameStream, other].map(({ state }) => state);
  expect(states()).toEqual(["waiting", "waiting", "waiting", "waiting", "done"]);
  broker.room = 10;
  await life.pass(10_000);
  expect(states()).toEqual(["done", "done", "done", "done", "done"]);
  expect((await engine.records.get("token"))?.toString()).toBe("2");
  await life.settle(three);
  expect(engine.stats("a").unsettled).toBe(0);
  expect(engine.stats("b").unsettled).toBe(2);
  await engine.close();
});

test("a frame too large for the broker takes the others of its transaction into the log: none is passed over", async () => {
  const life = await new Life(new FakeBroker({ maxFrameBytes: 200 })).open();
  life.consume(true);
  const large = "x".repeat(300);
  await life.append("one", large, "two");
  await life.append("three");
  await life.pass(1_000);
  expect(life.texts).toEqual(["one", large, "two", "three"]);
  await life.settle(...life.got);
  expect(life.engine.stats("a").unsettled).toBe(0);
  await life.engine.close();
});

test("while it is not known how large a frame may be, a large one goes into the log", async () => {
  const life = await new Life(new FakeBroker({ maxFrameBytes: 64 * 1024 })).open();
  life.consume();
  life.broker.problem = engineError.unreachable("Fake 1.0", "ECONNREFUSED");
  life.broker.loseSessions();
  const large = "x".repeat(100 * 1024);
  await life.append(large);
  expect(life.texts).toEqual([]);
  await life.turn();
  expect(life.texts).toEqual([large]);
  await life.engine.close();
});

test("what comes again after a lost session leaves room for what is new", async () => {
  const life = await new Life().open();
  life.consume();
  const many = Array.from({ length: 1_500 }, (_, i) => `item-${i}`);
  await life.append(...many);
  await life.turn();
  expect(life.texts).toHaveLength(many.length);
  life.broker.problem = engineError.unreachable("Fake 1.0", "ECONNREFUSED");
  life.broker.loseSessions();
  await life.settle(life.got[0] as Delivery);
  life.broker.problem = undefined;
  await life.pass(30_000);
  // Nothing of what is in hand is settled: a batch, say, waits for more.
  await life.append("new");
  await life.pass(1_000);
  expect(life.texts.at(-1)).toBe("new");
  await life.engine.close();
});

test("where order is kept, what has come waits for what should have come before it", async () => {
  const life = await new Life().open();
  await life.append("one", "two", "three");
  life.broker.queue(QUEUE).reverse();
  life.consume(true);
  await life.turn();
  expect(life.texts).toEqual(["one", "two", "three"]);
  await life.engine.close();
});

test("it does not wait for ever: it says so, goes on, and what the broker has lost is counted as quarantined", async () => {
  const life = await new Life().open();
  await life.append("one", "two", "three");
  const [first] = life.broker.numbers(QUEUE);
  life.broker.lose(QUEUE, (number) => number === first);
  life.consume(true);
  await life.pass(50_000);
  expect(life.texts).toEqual([]);
  await life.pass(11_000);
  expect(life.texts).toEqual(["two", "three"]);
  expect(life.notices).toEqual([
    `stream a: frame ${first} has not come from the broker for 60 s; what is behind it goes first`,
  ]);
  await life.pass(20_000);
  expect(life.quarantined).toEqual([{ items: 1, problem: "the broker lost 1 frame (1 item)" }]);
  expect(unaccounted(life.engine, "a")).toBe(0);
  expect(life.engine.stats("a").unsettled).toBe(2);
  await life.engine.close();
});

test("frames in a queue that nobody takes from are not lost; in one that was emptied they are", async () => {
  const life = await new Life().open();
  await life.append("one", "two");
  await life.pass(60_000);
  expect(life.quarantined).toEqual([]);

  life.broker.lose(QUEUE);
  await life.pass(30_000);
  expect(life.quarantined).toEqual([{ items: 2, problem: "the broker lost 2 frames (2 items)" }]);
  expect(life.engine.stats("a").unsettled).toBe(0);
  expect(unaccounted(life.engine, "a")).toBe(0);
  await life.engine.close();
});

test.each([
  { server: "as servers are", handBackMs: 0, early: 50_000 },
  { server: "where the server is slow to miss a client", handBackMs: 300_000, early: 290_000 },
])(
  "after a new connection nothing counts as lost before all may have come that the old one had, $server",
  async ({ handBackMs, early }) => {
    const life = await new Life(new FakeBroker({ handBackMs })).open();
    await life.append("one");
    const gone = life.broker.queue(QUEUE).splice(0);
    life.broker.loseSessions();
    await life.pass(early);
    expect(life.quarantined).toEqual([]);
    life.broker.queue(QUEUE).push(...gone);
    life.consume();
    await life.pass(60_000);
    expect(life.texts).toEqual(["one"]);
    expect(life.quarantined).toEqual([]);
    await life.engine.close();
  },
);

test("a message that is not ours is kept aside byte for byte before the broker may forget it", async () => {
  const life = await new Life().open();
  life.consume();
  life.disk.failure = (operation) => (operation === "write" ? "ENOSPC" : undefined);
  life.broker.put(QUEUE, Buffer.from("hello from elsewhere"));
  await life.turn();
  expect(life.broker.numbers(QUEUE)).toEqual([undefined]);

  life.disk.failure = undefined;
  life.broker.loseSessions();
  await life.pass(1_000);
  expect(life.broker.numbers(QUEUE)).toEqual([]);
  expect(life.quarantined).toEqual([
    { items: 1, problem: "a message that millrace did not put there came out of its queue" },
  ]);
  const { entries } = await life.engine.records.scan("q");
  expect(entries).toHaveLength(1);
  expect(entries[0]?.value.toString()).toMatch(/^\{.*\}\nhello from elsewhere$/);
  expect(unaccounted(life.engine, "a")).toBe(0);
  await life.engine.close();
});

test("a frame that comes back damaged is quarantined with its bytes, and the rest goes on", async () => {
  const life = await new Life().open();
  await life.append("one", "two");
  const [message] = life.broker.queue(QUEUE);
  message?.bytes.writeUInt8(7, 55);
  life.consume();
  await life.turn();
  expect(life.texts).toEqual(["two"]);
  expect(life.quarantined).toEqual([{ items: 1, problem: expect.stringContaining("checksum") }]);
  expect(life.broker.numbers(QUEUE)).toHaveLength(1);
  expect(unaccounted(life.engine, "a")).toBe(0);
  await life.engine.close();
});

test("when the log refuses, what was given since is refused as well, and its messages are dropped", async () => {
  const life = await new Life(new FakeBroker({ chance: () => 0 })).open();
  const { broker } = life;
  life.consume();
  const [first, second] = [watch(life.append("one")), watch(life.append("two"))];
  life.disk.failure = (operation) => (operation === "write" ? "ENOSPC" : undefined);
  // One is confirmed, two is on its way.
  for (let i = 0; i < 3; i++) broker.step();
  await life.turn();
  expect([first.state, second.state]).toEqual(["MR_DISK_FULL", "MR_DISK_FULL"]);

  life.disk.failure = undefined;
  const third = watch(life.append("three"));
  for (let i = 0; i < 10; i++) {
    while (broker.step());
    await life.turn();
  }
  expect(third.state).toBe("done");
  expect(life.texts).toEqual(["three"]);
  expect(broker.numbers(QUEUE)).toHaveLength(1);
  await life.engine.close();
});

test("a broker that is not there ends the start, or is waited for by who was working with it", async () => {
  const broker = new FakeBroker();
  broker.problem = engineError.unreachable("Fake 1.0", "ECONNREFUSED");
  await expect(new Life(broker).open()).rejects.toMatchObject({ code: "MR_ENGINE_UNREACHABLE" });

  const life = await new Life(broker).open({ waits: true });
  expect(life.troubles).toEqual(["Fake 1.0: it cannot be reached (ECONNREFUSED)"]);
  const waiting = watch(life.append("one"));
  life.consume();
  broker.problem = undefined;
  await life.pass(2_000);
  expect(waiting.state).toBe("done");
  expect(life.texts).toEqual(["one"]);
  expect(life.troubles.at(-1)).toBeUndefined();
  await life.engine.close();
});

test("a queue that is unlike what is asked for ends the start", async () => {
  const broker = new FakeBroker();
  broker.differs = true;
  await expect(new Life(broker).open()).rejects.toMatchObject({ code: "MR_ENGINE_QUEUE_DIFFERS" });
});

test("a life after a kill hands out what the ledger names, and nothing else of what the queue holds", async () => {
  const life = await new Life(new FakeBroker({ chance: () => 0 })).open();
  const step = async (): Promise<void> => {
    life.broker.step();
    await life.turn();
  };
  const [one, two] = [watch(life.append("one")), watch(life.append("two"))];
  await life.turn();
  // Both are published, the first is confirmed and committed.
  for (let i = 0; i < 3; i++) await step();
  expect([one.state, two.state]).toEqual(["done", "waiting"]);
  expect(life.broker.numbers(QUEUE)).toHaveLength(2);
  life.disk.powerOn();

  const next = await new Life(life.broker.copy({}), life.disk).open();
  next.consume();
  await next.turn();
  expect(next.texts).toEqual(["one"]);
  expect(next.broker.numbers(QUEUE)).toHaveLength(1);
  expect(next.engine.stats("a").unsettled).toBe(1);
  await next.engine.close();
});

test("segments go though frames lie in the broker for long, and none of them is forgotten", async () => {
  const life = await new Life().open();
  await life.append("the one that stays");
  for (let i = 0; i < 300; i++) await life.append(`item-${i}`);
  life.consume();
  await life.turn();
  for (let i = 1; i < 301; i++) {
    await life.settle(life.got[i] as Delivery);
    await life.turn();
  }
  expect(life.disk.names("/log").length).toBeLessThan(8);
  expect(life.disk.names("/log")[0]).not.toBe("00000001.seg");
  life.disk.powerOn();

  const next = await new Life(life.broker.copy(), life.disk).open();
  next.consume();
  await next.turn();
  expect(next.texts).toEqual(["the one that stays"]);
  expect(next.engine.stats("a")).toMatchObject({ unsettled: 1, appended: 301 });
  await next.engine.close();
});

test("when the run has completed its queues are removed", async () => {
  const life = await new Life().open();
  await life.engine.open("b");
  await life.engine.open("b~1");
  await life.engine.retire();
  expect(life.broker.drops.sort()).toEqual(["run.a", "run.b", "run.b~1"]);
  await life.engine.close();
  expect(life.broker.sessions.size).toBe(0);
});

test("a broker that is away when the run has completed is waited for, and its queues are removed then", async () => {
  const life = await new Life().open();
  life.broker.problem = new Error("it is away");
  life.broker.loseSessions();
  const retired = life.engine.retire();
  await life.pass(5_000);
  expect(life.broker.drops).toEqual([]);
  life.broker.problem = undefined;
  await life.pass(1_000);
  await retired;
  expect(life.broker.drops).toEqual(["run.a"]);
  await life.engine.close();
  expect(life.broker.sessions.size).toBe(0);
});

test("one that stays away does not keep a completed run from its end", async () => {
  const life = await new Life().open();
  life.broker.problem = new Error("it is away");
  life.broker.loseSessions();
  const retired = expect(life.engine.retire()).rejects.toThrow("it is away");
  await life.pass(31_000);
  await retired;
  await life.engine.close();
});

test("a run that is refused before it has begun leaves no queue behind; one that has begun keeps its own", async () => {
  for (const hasBegun of [false, true]) {
    const life = await new Life().open();
    if (hasBegun) await life.append("item");
    life.broker.differs = true;
    await expect(life.engine.open("b")).rejects.toMatchObject({ code: "MR_ENGINE_QUEUE_DIFFERS" });
    expect(life.broker.drops).toEqual(hasBegun ? [] : ["run.a", "run.b"]);
    await life.engine.close();
  }
});
