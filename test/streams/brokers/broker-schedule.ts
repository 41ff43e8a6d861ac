import fc from "fast-check";
import { BrokerEngine } from "../../../src/streams/brokers/broker-engine.ts";
import { type Delivery, NOTHING, type Settlement } from "../../../src/streams/contract.ts";
import { SegmentLog } from "../../../src/streams/embedded/segment-log.ts";
import { FakeBroker } from "../../support/fake-broker.ts";
import { FakeDisk, seededChance } from "../../support/fake-disk.ts";
import { type FakeEnv, fakeEnv } from "../../support/fake-env.ts";
import { frameOf, textsOf } from "../../support/test-frames.ts";
import { unaccounted } from "../ledger-model.ts";

const STREAMS = ["a", "b"];

export interface Step {
  readonly what:
    | "feed"
    | "work"
    | "settle"
    | "delay"
    | "broker"
    | "lose-sessions"
    | "away"
    | "duplicate"
    | "block"
    | "full"
    | "disk"
    | "kill"
    | "time";
  readonly dice: number;
}

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    what: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom<Step["what"][]>("feed", "work", "settle") },
      { weight: 8, arbitrary: fc.constantFrom<Step["what"][]>("broker", "broker", "broker", "time") },
      {
        weight: 3,
        arbitrary: fc.constantFrom<Step["what"][]>(
          "delay",
          "lose-sessions",
          "away",
          "duplicate",
          "block",
          "full",
          "disk",
          "kill",
        ),
      },
    ),
    dice: fc.nat({ max: 1_000 }),
  }),
  { minLength: 20, maxLength: 150 },
);

interface Item {
  readonly text: string;
  readonly stream: string;
  readonly isDelayed: boolean;
  /** Of the transaction that appended it. */
  append: "sent" | "done" | "refused" | "unknown";
  settle: "no" | "sent" | "done" | "unknown";
  /** Lives in which it was handed out. */
  readonly lives: Set<number>;
}

interface Held {
  readonly item: Item;
  readonly settlement: Settlement;
}

/** What happened, to be sure that something did. */
export interface Account {
  readonly problems: string[];
  delivered: number;
  kills: number;
  unknown: number;
  refused: number;
}

/** Lets whatever is under way get as far as it can without the broker and without time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Transactions, sessions that break, a broker that is away, blocked, full or says things twice, and kills of the
 * engine, in an order of chance; in the end all is well again and everything must be done.
 */
export async function brokerSchedule(seed: number, script: readonly Step[]): Promise<Account> {
  const chance = seededChance(seed);
  const disk = new FakeDisk(chance);
  let broker = new FakeBroker({ chance });
  const account: Account = { problems: [], delivered: 0, kills: 0, unknown: 0, refused: 0 };
  const { problems } = account;
  const items = new Map<string, Item>();
  const records = new Map<string, readonly Item[]>();
  let held: Held[] = [];
  let life = 0;
  let names = 0;
  let engine!: BrokerEngine;
  let env!: FakeEnv;
  /** By stream, of what is not delayed: the last one handed out in this life. */
  let lastOf = new Map<string, number>();

  const take = (inLife: number, { stream, frame, content, pending }: Delivery): void => {
    if (inLife !== life) return;
    const texts = textsOf(content.bytes);
    for (const [from, to] of pending) {
      for (let place = from; place < to; place++) {
        const item = items.get(texts[place] as string);
        if (item === undefined) {
          problems.push(`nobody placed ${texts[place]}`);
          continue;
        }
        account.delivered++;
        if (item.settle === "done") problems.push(`${item.text} was handed out after it was settled`);
        if (item.append === "refused") problems.push(`${item.text} was handed out though it was refused`);
        if (item.lives.has(life)) problems.push(`${item.text} was handed out twice in a life`);
        if (!item.isDelayed) {
          const number = Number(item.text.slice(1));
          if (number < (lastOf.get(stream) ?? 0)) problems.push(`${item.text} came out of order`);
          lastOf.set(stream, number);
        }
        item.lives.add(life);
        if (item.append === "unknown") item.append = "done";
        held.push({ item, settlement: { stream, frame, from: place, to: place + 1, outcome: "completed" } });
      }
    }
  };

  const open = async (): Promise<void> => {
    life++;
    held = [];
    lastOf = new Map();
    env = { ...fakeEnv(disk), random: { float: chance, bytes: (length) => Buffer.alloc(length) } };
    const opened = await BrokerEngine.open(env, {
      log: (snapshot) =>
        new SegmentLog(env, { directory: "/run/log", sync: true, snapshot, segmentBytes: 4_096 }),
      survives: "power-loss",
      broker,
      queueOf: (stream) => `run.${stream}`,
      waits: true,
    });
    engine = opened.engine;
    engine.onQuarantine((stream, frame, _items, problem) => problems.push(`${stream}/${frame}: ${problem}`));
    const inLife = life;
    for (const stream of STREAMS) {
      await engine.open(stream);
      engine.consume(stream, (delivery) => take(inLife, delivery), { inOrder: true }).want(1e9);
    }
  };

  const newItems = (stream: string, count: number, isDelayed: boolean): Item[] =>
    Array.from({ length: count }, () => {
      const text = `i${++names}`;
      const item: Item = { text, stream, isDelayed, append: "sent", settle: "no", lives: new Set() };
      items.set(text, item);
      return item;
    });

  const transact = (done: readonly Held[], placed: readonly (readonly Item[])[], delayMs = 0): void => {
    const key = `t/${++names}`;
    const all = placed.flat();
    records.set(key, all);
    for (const { item } of done) item.settle = "sent";
    held = held.filter((one) => !done.includes(one));
    const inLife = life;
    const ended = (append: Item["append"], settled: Item["settle"]): void => {
      // n.b. of a life that was killed nobody is told anything.
      if (inLife !== life) return;
      for (const item of all) item.append = append;
      for (const { item } of done) item.settle = settled;
    };
    engine
      .transact({
        ...NOTHING,
        settlements: done.map(({ settlement }) => settlement),
        appends: placed.map((items) => ({
          stream: (items[0] as Item).stream,
          frame: frameOf(items.map(({ text }) => text)),
          count: items.length,
          delayMs,
          isNew: true,
        })),
        records: [{ key, value: Buffer.from("there") }],
      })
      .then(
        () => ended("done", "done"),
        () => {
          account.refused++;
          ended("refused", "no");
          if (inLife === life) held.push(...done);
        },
      );
  };

  const kill = async (): Promise<void> => {
    account.kills++;
    life++;
    // n.b. what the dead process had sent and the broker had not read is gone.
    broker.loseSessions();
    broker = broker.copy();
    disk.powerOn();
    disk.failure = undefined;
    for (const item of items.values()) {
      if (item.append === "sent") item.append = item.lives.size > 0 ? "done" : "unknown";
      if (item.append === "unknown") account.unknown++;
      if (item.settle === "sent") item.settle = "unknown";
    }
    await open();
  };

  const some = (dice: number): Held[] => held.slice(0, 1 + (dice % 7));

  const perform = async ({ what, dice }: Step): Promise<void> => {
    const stream = STREAMS[dice % 2] as string;
    if (what === "feed") {
      const frames = 1 + (dice % 4);
      transact(
        [],
        Array.from({ length: frames }, (_, i) => newItems(stream, 1 + ((dice + i) % 3), false)),
      );
    } else if (what === "work") transact(some(dice), [newItems("b", 1 + (dice % 3), false)]);
    else if (what === "settle" && held.length > 0) transact(some(dice), []);
    else if (what === "delay") transact(some(dice), [newItems(stream, 1, true)], 1 + (dice % 500));
    else if (what === "broker") for (let i = dice % 30; i > 0 && broker.step(); i--);
    else if (what === "lose-sessions") broker.loseSessions();
    else if (what === "away") {
      broker.problem = dice % 2 === 0 ? new Error("away") : undefined;
      if (dice % 2 === 0) broker.loseSessions();
    } else if (what === "duplicate") {
      const queue = broker.queue(`run.${stream}`);
      const one = queue[dice % Math.max(1, queue.length)];
      // n.b. behind all others: it is published once more when its confirmation was lost.
      if (one !== undefined) broker.put(`run.${stream}`, one.bytes, one.number);
    } else if (what === "block") broker.block(dice % 2 === 0 ? "memory" : undefined);
    else if (what === "full") broker.refuses = (dice % 3) / 3;
    else if (what === "disk")
      disk.failure =
        dice % 2 === 0 ? (operation) => (operation === "write" ? "ENOSPC" : undefined) : undefined;
    else if (what === "kill") await kill();
    else env.advance(dice);
  };

  const check = (when: string): void => {
    for (const name of STREAMS) {
      const missing = unaccounted(engine, name);
      if (missing !== 0) problems.push(`${when}: ${missing} items of ${name} are unaccounted for`);
    }
  };

  await open();
  for (const [number, step] of script.entries()) {
    await perform(step);
    await settle();
    check(`step ${number} ${step.what}`);
    if (problems.length > 0) return account;
  }

  // --- heal: nothing is in the way any more, and all must be done
  broker.problem = undefined;
  broker.refuses = 0;
  disk.failure = undefined;
  broker.block(undefined);
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 400 && broker.step(); i++);
    await settle();
    env.advance(500);
    await settle();
    if (held.length > 0) transact([...held], []);
    const isDone = STREAMS.every((name) => engine.stats(name).unsettled === 0);
    const isEmpty = STREAMS.every((name) => broker.numbers(`run.${name}`).length === 0);
    if (
      isDone &&
      isEmpty &&
      [...items.values()].every(({ append, settle }) => append !== "sent" && settle !== "sent")
    )
      break;
  }
  check("in the end");
  for (const { text, append, settle: settled } of items.values()) {
    if (append === "done" && settled === "no") problems.push(`${text} was never handed out`);
    if (append === "sent" || settled === "sent") problems.push(`${text}: nobody was told what became of it`);
  }
  for (const name of STREAMS) {
    const { unsettled } = engine.stats(name);
    if (unsettled > 0) problems.push(`${unsettled} items of ${name} are left`);
    const numbers = broker.numbers(`run.${name}`);
    if (unsettled === 0 && numbers.length > 0) problems.push(`${name}: the broker still has ${numbers}`);
  }
  // A transaction is there as a whole or not at all.
  for (const [key, placed] of records) {
    const isThere = engine.records.count(key) > 0 && (await engine.records.get(key)) !== undefined;
    for (const { text, append, lives } of placed) {
      if (!isThere && lives.size > 0)
        problems.push(`${text} was handed out, the rest of its transaction is not there`);
      if (isThere && append === "unknown" && lives.size === 0)
        problems.push(`${text} is missing, the rest of its transaction is there`);
      if (!isThere && append === "done") problems.push(`${text} was confirmed, and its transaction is gone`);
    }
  }
  await engine.close();
  return account;
}
