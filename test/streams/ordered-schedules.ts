import { StreamConnection } from "../../src/streams/connection.ts";
import type { Mark } from "../../src/streams/contract.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import { MemoryLog } from "../../src/streams/embedded/memory-log.ts";
import { streamOf } from "../../src/streams/lanes.ts";
import {
  type ConnectionRole,
  MESSAGE,
  STREAM_PROTOCOL_VERSION,
  type Verdict,
} from "../../src/streams/protocol.ts";
import { StreamServer } from "../../src/streams/server.ts";
import { packValue } from "../../src/wire/packing.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { fakeEnv } from "../support/fake-env.ts";
import { FakeWire } from "../support/fake-wire.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";

interface Held {
  readonly lane: number;
  readonly n: number;
  readonly frame: number;
  readonly place: number;
  readonly mark: Mark | undefined;
}

interface Instance {
  readonly name: string;
  readonly role: ConnectionRole;
  connection: StreamConnection | undefined;
  held: Held[];
  credit: number;
  n: number;
  isAlive: boolean;
  isLeaving: boolean;
}

export interface OrderedSchedule {
  readonly problems: readonly string[];
  readonly delivered: number;
  readonly deaths: number;
  readonly suspectsRun: number;
  readonly attempts: number;
}

const ATTEMPT = { at: 1, error: { name: "Error", message: "no", stack: "" } };

/**
 * As `schedule`, for a stage that keeps order: instances take, settle, fail, die, come and leave in random order. An
 * item of a lane must reach an instance only when all before it are settled, or in the same hands.
 */
export async function orderedSchedule(seed: number, steps: number): Promise<OrderedSchedule> {
  const chance = seededChance(seed);
  const int = (below: number): number => Math.floor(chance() * below);
  const pick = <T>(list: readonly T[]): T | undefined => list[int(list.length)];
  const lanes = 1 + int(5);
  const env = fakeEnv(new FakeDisk(chance));
  const { engine } = await EmbeddedEngine.open(env, () => new MemoryLog(), "nothing");
  const server = new StreamServer(env, engine, { boot: "b", secret: "s" });
  await server.open(["work"], { partitions: { work: lanes } });
  const wire = new FakeWire(chance);
  const problems: string[] = [];
  const instances: Instance[] = [];
  const verdicts: Verdict[] = [];
  const placed = Array.from({ length: lanes }, () => 0);
  /** By lane, what is settled, or on its way to be. */
  const done = Array.from({ length: lanes }, () => new Set<number>());
  const totals = { delivered: 0, deaths: 0, suspectsRun: 0, attempts: 0 };

  const take = (instance: Instance, item: Held): void => {
    // What was on its way to a process that has died meanwhile is read by nobody.
    if (!instance.isAlive) return;
    const { lane, n } = item;
    const what = `item ${lane}/${n}`;
    totals.delivered++;
    if (--instance.credit < 0) problems.push(`${instance.name} got more than its credit`);
    if (done[lane]?.has(n) === true) problems.push(`${what} came after it was settled`);
    const others = instances.filter((other) => other !== instance && other.isAlive);
    if (others.some(({ held }) => held.some((known) => known.lane === lane)))
      problems.push(`${what} came to ${instance.name} while another has items of its lane`);
    for (let before = 0; before < n; before++) {
      const isHere = instance.held.some((known) => known.lane === lane && known.n === before);
      if (done[lane]?.has(before) !== true && !isHere)
        problems.push(`${what} came to ${instance.name} before ${before} was settled`);
    }
    if (instance.role === "suspect") {
      totals.suspectsRun++;
      if (instance.held.length > 0) problems.push(`${what} is not alone in ${instance.name}`);
    }
    instance.held.push(item);
  };

  const spawn = (role: ConnectionRole): void => {
    const instance: Instance = {
      name: `i${instances.length}`,
      role,
      connection: undefined,
      held: [],
      credit: 0,
      n: 0,
      isAlive: true,
      isLeaving: false,
    };
    instances.push(instance);
    const { near, far } = wire.connect();
    server.accept(far);
    const stage = role === "source" ? "feed" : "work";
    const hello = { version: STREAM_PROTOCOL_VERSION, role, stage, instance: instance.name, secret: "s" };
    void StreamConnection.greet(near, hello, {
      onDeliver: (ranges, frames) => {
        for (const [i, { f, o, m }] of ranges.entries()) {
          const marks = new Map(m ?? []);
          for (const [index, text] of textsOf(frames[i] as Buffer).entries()) {
            const [lane, n] = text.split("/").map(Number) as [number, number];
            take(instance, { lane, n, frame: f, place: o + index, mark: marks.get(index) });
          }
        }
      },
      onRefused: (n, error) => problems.push(`${instance.name}: transaction ${n} refused: ${error.message}`),
    }).then(
      (connection) => {
        instance.connection = connection;
      },
      () => {
        instance.isAlive = false;
      },
    );
  };

  const transact = (instance: Instance, settled: readonly Held[], failed: readonly Held[]): void => {
    const isHandedBack = instance.role === "suspect";
    for (const { lane, n } of settled) done[lane]?.add(n);
    const gone = new Set(isHandedBack ? [...settled, ...failed] : settled);
    instance.held = instance.held.filter((item) => !gone.has(item));
    totals.attempts += failed.length;
    instance.connection?.send(
      MESSAGE.transact,
      {
        n: ++instance.n,
        settle: settled.map(({ frame, place }) => [frame, place, place + 1, "completed"] as const),
        append: [],
        records: [],
        counts: [],
        attempts: failed.map(({ frame, place }) => [frame, place, 1, isHandedBack] as const),
      },
      failed.map(() => packValue([ATTEMPT])),
    );
  };

  const place = (source: Instance): void => {
    const lane = int(lanes);
    const texts = Array.from({ length: 1 + int(6) }, () => `${lane}/${(placed[lane] as number)++}`);
    source.connection?.send(
      MESSAGE.transact,
      {
        n: ++source.n,
        settle: [],
        append: [[streamOf("work", lane), texts.length, 0, true]],
        records: [],
        counts: [],
      },
      [frameOf(texts)],
    );
  };

  const give = (instance: Instance, items: number): void => {
    instance.credit += items;
    instance.connection?.send(MESSAGE.credit, { items });
  };

  const kill = (instance: Instance): void => {
    totals.deaths++;
    instance.isAlive = false;
    const culprit = chance() < 0.2 ? pick(instance.held) : undefined;
    const verdict: Verdict = {
      instance: instance.name,
      stage: "work",
      charge: culprit === undefined && chance() < 0.7,
      external: chance() < 0.5,
      what: "signal SIGABRT",
      ...(culprit === undefined ? {} : { culprit: { frame: culprit.frame, place: culprit.place } }),
    };
    // n.b. what it sent before it died may still arrive, and settle something: only when that is so is it known.
    instance.connection?.end();
    verdicts.push(verdict);
  };

  const turn = async (): Promise<void> => {
    for (let i = int(5); i > 0; i--) wire.step();
    await new Promise((resolve) => setImmediate(resolve));
  };

  spawn("source");
  const [source] = instances as [Instance];
  spawn("worker");
  spawn("worker");
  for (let step = 0; step < steps && problems.length === 0; step++) {
    const working = instances.filter(
      ({ isAlive, role, connection }) => isAlive && role !== "source" && connection !== undefined,
    );
    const one = pick(working);
    const dice = chance();
    if (dice < 0.2 && source.connection !== undefined) place(source);
    else if (one !== undefined && dice < 0.4 && !one.isLeaving) give(one, 1 + int(8));
    else if (one !== undefined && dice < 0.5) {
      const items = one.held.filter(() => chance() < 0.5);
      one.connection?.send(MESSAGE.started, {
        ranges: items.flatMap((item) => [item.frame, item.place, item.place + 1]),
      });
    } else if (one !== undefined && dice < 0.8) {
      // Only what comes first of its lane is settled, as an instance does it; now and then it fails instead.
      const ready = one.held.filter(
        (item) => !one.held.some(({ lane, n }) => lane === item.lane && n < item.n) && chance() < 0.7,
      );
      const failed = ready.filter(() => chance() < 0.25);
      if (ready.length > 0)
        transact(
          one,
          ready.filter((item) => !failed.includes(item)),
          failed,
        );
    } else if (one !== undefined && dice < 0.86) kill(one);
    else if (one !== undefined && dice < 0.88 && one.role === "worker") {
      one.isLeaving = true;
      one.connection?.send(MESSAGE.credit, { items: 0, isLast: true });
    } else if (dice < 0.94 && working.length < 5) spawn(chance() < 0.7 ? "worker" : "suspect");
    else if (dice < 0.98) {
      const verdict = verdicts.splice(int(verdicts.length), 1)[0];
      if (verdict !== undefined) void server.verdict(verdict);
    } else env.advance(int(20));
    await turn();
  }

  // --- heal: nobody dies any more, and all must be done
  for (const verdict of verdicts.splice(0)) void server.verdict(verdict);
  spawn("worker");
  spawn("suspect");
  const left = (): number => server.report()[0]?.unsettled as number;
  for (let round = 0; round < 3_000 && problems.length === 0 && left() > 0; round++) {
    while (wire.step());
    await new Promise((resolve) => setImmediate(resolve));
    for (const instance of instances) {
      if (!instance.isAlive || instance.role === "source" || instance.connection === undefined) continue;
      if (instance.held.length > 0) transact(instance, [...instance.held], []);
      if (instance.credit < 5 && !instance.isLeaving) give(instance, 5 - instance.credit);
    }
  }
  if (problems.length === 0 && left() > 0)
    problems.push(`${left()} items are left, and nobody gets them: ${JSON.stringify(server.report())}`);
  const accepted = engine.counts().get("work")?.get("accepted") ?? 0;
  const completed = engine.counts().get("work")?.get("completed") ?? 0;
  if (problems.length === 0 && accepted !== completed)
    problems.push(`${accepted} accepted, ${completed} completed`);
  await server.close();
  return { problems: problems.map((problem) => `seed ${seed}: ${problem}`), ...totals };
}
