import { StreamConnection } from "../../src/streams/connection.ts";
import type { Mark, Outcome } from "../../src/streams/contract.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";
import {
  type ConnectionRole,
  MESSAGE,
  STREAM_PROTOCOL_VERSION,
  type Verdict,
} from "../../src/streams/protocol.ts";
import { StreamServer } from "../../src/streams/server.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { fakeEnv } from "../support/fake-env.ts";
import { FakeWire } from "../support/fake-wire.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";
import { unaccounted } from "./ledger-model.ts";

interface Held {
  readonly text: string;
  readonly frame: number;
  readonly place: number;
  readonly mark: Mark | undefined;
}

interface Instance {
  readonly name: string;
  readonly role: ConnectionRole;
  connection: StreamConnection | undefined;
  readonly held: Held[];
  /** Transactions sent and not answered: the texts that they settle. */
  readonly sent: Map<number, string[]>;
  credit: number;
  isAlive: boolean;
  n: number;
}

export interface Schedule {
  readonly problems: readonly string[];
  readonly delivered: number;
  readonly deaths: number;
  readonly suspectsRun: number;
  readonly convicted: number;
  readonly refused: number;
}

/**
 * Random instances that take, begin, settle, retry and die in random order, over connections on which everything
 * arrives in random order too. Watches what no order may break; in the end all lives on and must be done.
 */
export async function schedule(seed: number, steps: number): Promise<Schedule> {
  const chance = seededChance(seed);
  const int = (below: number): number => Math.floor(chance() * below);
  const pick = <T>(list: readonly T[]): T | undefined => list[int(list.length)];
  const env = fakeEnv(new FakeDisk(chance));
  const { engine } = await EmbeddedEngine.open(env, () => new MemoryLog(), "nothing");
  const server = new StreamServer(env, engine, { boot: "b", secret: "s" });
  await server.open(["work"]);
  const wire = new FakeWire(chance);
  const problems: string[] = [];
  const instances: Instance[] = [];
  /** Settled in a confirmed transaction, not as a retry: never to be seen again. */
  const done = new Set<string>();
  const totals = { delivered: 0, deaths: 0, suspectsRun: 0, convicted: 0, refused: 0 };
  let names = 0;

  const spawn = (role: ConnectionRole): void => {
    const instance: Instance = {
      name: `i${names++}`,
      role,
      connection: undefined,
      held: [],
      sent: new Map(),
      credit: 0,
      isAlive: true,
      n: 0,
    };
    instances.push(instance);
    const { near, far } = wire.connect();
    server.accept(far);
    void StreamConnection.greet(
      near,
      {
        version: STREAM_PROTOCOL_VERSION,
        role,
        stage: role === "source" ? "feed" : "work",
        instance: instance.name,
        secret: "s",
      },
      {
        onDeliver: (ranges, frames) => {
          for (const [i, { f, o, m }] of ranges.entries()) {
            const marks = new Map(m ?? []);
            for (const [index, text] of textsOf(frames[i] as Buffer).entries())
              take(instance, { text, frame: f, place: o + index, mark: marks.get(index) });
          }
        },
        onConfirmed: (n) => {
          for (const text of instance.sent.get(n) ?? []) {
            if (done.has(text)) problems.push(`${text} was settled twice`);
            done.add(text);
          }
          instance.sent.delete(n);
        },
        onRefused: (n, error) => {
          totals.refused++;
          problems.push(`${instance.name}: transaction ${n} was refused: ${error.message}`);
        },
      },
    ).then(
      (connection) => {
        instance.connection = connection;
      },
      () => {
        instance.isAlive = false;
      },
    );
  };

  const take = (instance: Instance, item: Held): void => {
    totals.delivered++;
    instance.credit--;
    if (instance.credit < 0) problems.push(`${instance.name} got more than its credit`);
    if (done.has(item.text)) problems.push(`${item.text} was handed out after it was settled`);
    for (const other of instances) {
      if (other.isAlive && other.held.some(({ text }) => text === item.text))
        problems.push(`${item.text} is in the hands of ${other.name} and ${instance.name}`);
    }
    const isSuspect = item.mark !== undefined && item.mark.timedOut !== true && item.mark.kills < 2;
    if (isSuspect !== (instance.role === "suspect"))
      problems.push(`${item.text}, ${JSON.stringify(item.mark)}, came to a ${instance.role}`);
    instance.held.push(item);
    if (instance.role === "suspect") {
      totals.suspectsRun++;
      if (instance.held.length > 1)
        problems.push(`${instance.name} runs ${instance.held.length} suspects at a time`);
    } else if (item.mark !== undefined && item.mark.kills >= 2) totals.convicted++;
  };

  const transact = (instance: Instance, items: readonly Held[], outcome: Outcome): void => {
    const n = ++instance.n;
    const settle = items.map(({ frame, place }) => [frame, place, place + 1, outcome] as const);
    for (const item of items) instance.held.splice(instance.held.indexOf(item), 1);
    if (outcome === "retried") {
      const texts = items.map(({ text }) => text);
      instance.sent.set(n, []);
      instance.connection?.send(
        MESSAGE.transact,
        {
          n,
          settle,
          append: [["work", texts.length, chance() < 0.5 ? int(20) : 0, false]],
          records: [],
          counts: [],
        },
        [frameOf(texts)],
      );
      return;
    }
    instance.sent.set(
      n,
      items.map(({ text }) => text),
    );
    instance.connection?.send(MESSAGE.transact, { n, settle, append: [], records: [], counts: [] });
  };

  const credit = (instance: Instance, items: number): void => {
    instance.credit += items;
    instance.connection?.send(MESSAGE.credit, { items });
  };

  const verdictOn = (instance: Instance): Verdict => {
    const culprit = chance() < 0.2 ? pick(instance.held) : undefined;
    return {
      instance: instance.name,
      stage: "work",
      charge: culprit === undefined && chance() < 0.7,
      external: chance() < 0.3,
      what: "signal SIGABRT",
      ...(culprit === undefined ? {} : { culprit: { frame: culprit.frame, place: culprit.place } }),
    };
  };

  const kill = (instance: Instance): void => {
    totals.deaths++;
    instance.isAlive = false;
    const verdict = verdictOn(instance);
    const isEarly = chance() < 0.5;
    if (isEarly) void server.verdict(verdict);
    instance.connection?.destroy();
    if (!isEarly) verdicts.push(verdict);
  };
  const verdicts: Verdict[] = [];

  const turn = async (): Promise<void> => {
    for (let i = int(4); i > 0; i--) wire.step();
    await new Promise((resolve) => setImmediate(resolve));
  };

  spawn("source");
  let placed = 0;
  const [source] = instances as [Instance];
  for (let i = 0; i < 2; i++) spawn("worker");
  for (let step = 0; step < steps && problems.length === 0; step++) {
    const working = instances.filter(
      ({ isAlive, role, connection }) => isAlive && role !== "source" && connection !== undefined,
    );
    const one = pick(working);
    const dice = chance();
    if (dice < 0.15 && source.connection !== undefined) {
      const count = 1 + int(8);
      const texts = Array.from({ length: count }, () => `item-${placed++}`);
      source.sent.set(++source.n, []);
      source.connection.send(
        MESSAGE.transact,
        {
          n: source.n,
          settle: [],
          append: [["work", count, chance() < 0.2 ? int(30) : 0, true]],
          records: [],
          counts: [],
        },
        [frameOf(texts)],
      );
    } else if (one !== undefined && dice < 0.35) credit(one, 1 + int(6));
    else if (one !== undefined && dice < 0.5) {
      const item = pick(one.held);
      if (item !== undefined)
        one.connection?.send(MESSAGE.started, { ranges: [item.frame, item.place, item.place + 1] });
    } else if (one !== undefined && dice < 0.75) {
      const items = one.held.filter(() => chance() < 0.6);
      if (items.length > 0)
        transact(
          one,
          items,
          pick(["completed", "completed", "filtered", "dead", "retried"] as const) as Outcome,
        );
    } else if (one !== undefined && dice < 0.82) kill(one);
    else if (dice < 0.9 && working.length < 5) spawn(chance() < 0.6 ? "worker" : "suspect");
    else if (dice < 0.95) {
      const verdict = verdicts.splice(int(verdicts.length), 1)[0];
      if (verdict !== undefined) void server.verdict(verdict);
    } else env.advance(int(20));
    await turn();
    const missing = unaccounted(engine, "work");
    if (missing !== 0) problems.push(`step ${step}: ${missing} items unaccounted for`);
  }

  // --- heal: nobody dies any more, and all must be done
  for (const verdict of verdicts.splice(0)) void server.verdict(verdict);
  spawn("worker");
  spawn("suspect");
  for (let round = 0; round < 3_000 && problems.length === 0; round++) {
    while (wire.step()) {
      if (chance() < 0.1) await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    env.advance(10);
    if (
      engine.stats("work").unsettled === 0 &&
      instances.every(({ isAlive, sent }) => !isAlive || sent.size === 0)
    )
      break;
    for (const instance of instances) {
      if (!instance.isAlive || instance.role === "source" || instance.connection === undefined) continue;
      if (instance.held.length > 0) transact(instance, [...instance.held], "completed");
      if (instance.credit < 5) credit(instance, 5 - instance.credit);
    }
  }
  if (problems.length === 0) {
    const { unsettled } = engine.stats("work");
    if (unsettled !== 0)
      problems.push(`${unsettled} items are left, and nobody gets them: ${JSON.stringify(server.report())}`);
    if (unaccounted(engine, "work") !== 0) problems.push("items are unaccounted for in the end");
    if (server.report()[0]?.claimed !== 0) problems.push("somebody still holds something");
  }
  await server.close();
  return { problems: problems.map((problem) => `seed ${seed}: ${problem}`), ...totals };
}
