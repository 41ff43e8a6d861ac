import type { Delivery, Outcome, Transaction } from "../../src/streams/contract.ts";
import { OUTCOMES } from "../../src/streams/contract.ts";
import { EmbeddedEngine } from "../../src/streams/embedded/embedded-engine.ts";
import type { LogDamage } from "../../src/streams/embedded/log.ts";
import { SegmentLog } from "../../src/streams/embedded/segment-log.ts";
import { type Chance, FakeDisk, seededChance } from "../support/fake-disk.ts";
import { type FakeEnv, fakeEnv } from "../support/fake-env.ts";
import { frameOf, textsOf } from "../support/test-frames.ts";
import { LedgerModel, observed, unaccounted } from "./ledger-model.ts";

export const STREAMS = ["a", "b", "c"];
const DIRECTORY = "/run/log";

export interface Trouble {
  /** Whether writes are flushed before they are confirmed. */
  readonly sync: boolean;
  readonly lives: number;
  /** Whether the disk fills up now and then. */
  readonly fillsUp: boolean;
}

export interface Outing {
  /** What a check found wrong, or undefined. */
  readonly problem: string | undefined;
  readonly confirmed: number;
  readonly segmentsSeen: number;
  readonly cuts: number;
  /** Segments that were emptied by moving what lived in them. */
  readonly moves: number;
  readonly refusedFull: number;
}

interface Open {
  readonly engine: EmbeddedEngine;
  readonly env: FakeEnv;
  readonly deliveries: Delivery[];
  readonly damage: readonly LogDamage[];
}

/** Lets whatever is under way get as far as it can. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 40; i++) await new Promise((resolve) => setImmediate(resolve));
}

export async function openOn(
  disk: FakeDisk,
  sync: boolean,
  segmentBytes: number,
  onMove?: () => void,
  lingerMs = 0,
): Promise<Open> {
  const env = fakeEnv(disk);
  const { engine, damage } = await EmbeddedEngine.open(
    env,
    (snapshot) => {
      const log = new SegmentLog(env, { directory: DIRECTORY, sync, snapshot, segmentBytes, lingerMs });
      const toEmpty = log.segmentToEmpty.bind(log);
      log.segmentToEmpty = (freeBytes) => {
        const segment = toEmpty(freeBytes);
        if (segment !== undefined) onMove?.();
        return segment;
      };
      return log;
    },
    sync ? "power-loss" : "process-death",
  );
  const deliveries: Delivery[] = [];
  for (const stream of STREAMS) {
    await engine.open(stream);
    engine.consume(stream, (delivery) => deliveries.push(delivery)).want(1e9);
  }
  return { engine, env, deliveries, damage };
}

/**
 * Random transactions on a small log, the power cut at a random operation, the log opened again and compared
 * with the model: what was confirmed is there, nothing is there by half, and the order is kept. Several times over.
 */
export async function outing(seed: number, trouble: Trouble): Promise<Outing> {
  const chance = seededChance(seed);
  const disk = new FakeDisk(chance);
  const int = (below: number): number => Math.floor(chance() * below);
  const segmentBytes = 600 + int(6_000);
  const lingerMs = chance() < 0.5 ? 5 : 0;
  let model = new LedgerModel();
  let named = 0;
  let confirmedInAll = 0;
  let cuts = 0;
  let moves = 0;
  let refusedFull = 0;
  let segmentsSeen = 0;
  /** States that the log may be in after a cut: what is confirmed, and each transaction more in order. */
  let candidates: LedgerModel[] = [];
  const result = (problem: string | undefined): Outing => ({
    problem: problem === undefined ? undefined : `seed ${seed}: ${problem}`,
    confirmed: confirmedInAll,
    segmentsSeen,
    cuts,
    moves,
    refusedFull,
  });

  for (let life = 0; life < trouble.lives; life++) {
    const isLast = life === trouble.lives - 1;
    // --- open, perhaps cut in the midst of it
    let open: Open | undefined;
    for (let attempt = 0; open === undefined; attempt++) {
      if (attempt < 2 && !isLast && chance() < 0.3) disk.cutAfter = 1 + int(12);
      try {
        open = await openOn(disk, trouble.sync, segmentBytes, () => moves++, lingerMs);
        if (disk.isOff) throw new Error("the power went as it was open");
        disk.cutAfter = Number.POSITIVE_INFINITY;
      } catch (error) {
        open = undefined;
        if (!disk.isOff) return result(`it cannot be opened: ${String(error)}`);
        cuts++;
        disk.powerOn();
      }
    }
    const { engine, env, deliveries, damage } = open;
    if (trouble.sync && damage.some((place) => place.kind === "damaged")) {
      return result(`life ${life}: damage where there is none: ${JSON.stringify(damage)}`);
    }
    env.advance(1e9);
    await settle();

    // --- compare with the model
    const now = await observed(engine, STREAMS, deliveries);
    if (life > 0) {
      const match = candidates.findIndex((candidate) => candidate.text(STREAMS) === now);
      if (match < 0)
        return result(
          `life ${life}: opened again it is none of the ${candidates.length} states that it may be in\n${difference(candidates, now)}`,
        );
      model = (candidates[match] as LedgerModel).copy();
    }
    for (const stream of STREAMS) {
      const missing = unaccounted(engine, stream);
      if (missing !== 0)
        return result(`life ${life}: ${missing} items of stream ${stream} unaccounted for after opening`);
    }
    if (isLast) {
      await engine.close();
      break;
    }

    // --- work until the power goes
    disk.cutAfter = 5 + int(chance() < 0.3 ? 700 : 120);
    const numberToName = new Map<string, string>();
    const nameOf = (stream: string, frame: number): string =>
      numberToName.get(`${stream}/${frame}`) ?? "unknown";
    let learned = 0;
    const learn = (): void => {
      for (; learned < deliveries.length; learned++) {
        const {
          stream,
          frame,
          content: { bytes },
        } = deliveries[learned] as Delivery;
        numberToName.set(`${stream}/${frame}`, textsOf(bytes)[0] as string);
      }
    };
    learn();
    /** Transactions given and not answered, oldest first. */
    const unanswered: { transaction: Transaction }[] = [];
    let isSick = false;
    const rounds = 150;
    for (let round = 0; round < rounds && !disk.isOff && !isSick; round++) {
      if (trouble.fillsUp)
        disk.capacity = chance() < 0.25 ? disk.usedBytes + int(400) : Number.POSITIVE_INFINITY;
      const group: Promise<void>[] = [];
      // Settlements are chosen by what is pending now; two of one group must not choose the same.
      const taken = new Set<string>();
      for (let i = 1 + int(4); i > 0; i--) {
        const transaction = randomTransaction(
          chance,
          model,
          deliveries,
          nameOf,
          taken,
          () => `item-${named++}`,
        );
        const entry = { transaction };
        unanswered.push(entry);
        group.push(
          engine.transact(transaction).then(
            () => {
              if (unanswered[0] !== entry) isSick = true;
              unanswered.shift();
              model.apply(transaction, nameOf);
              confirmedInAll++;
            },
            (error: unknown) => {
              if ((error as { code?: string }).code === "MR_DISK_FULL" && !disk.isOff) {
                refusedFull++;
                unanswered.splice(unanswered.indexOf(entry), 1);
              }
            },
          ),
        );
      }
      if (lingerMs > 0) {
        await settle();
        env.advance(lingerMs);
      }
      // n.b. with the power gone, answers may never come.
      await Promise.race([Promise.all(group), settle().then(settle)]);
      learn();
      segmentsSeen = Math.max(segmentsSeen, Number(disk.names(DIRECTORY).at(-1)?.slice(0, 8) ?? 0));
      if (chance() < 0.3) env.advance(int(100));
      if (chance() < 0.2) engine.makeRoom();
      if (!disk.isOff) {
        for (const stream of STREAMS) {
          const missing = unaccounted(engine, stream);
          if (missing !== 0)
            return result(
              `life ${life}, round ${round}: ${missing} items of stream ${stream} unaccounted for`,
            );
          if (engine.stats(stream).unsettled !== model.unsettled(stream))
            return result(`life ${life}, round ${round}: stats of stream ${stream} differ`);
        }
      }
    }
    if (isSick) return result(`life ${life}: transactions were confirmed out of order`);
    await settle();
    disk.cutAfter = Math.min(disk.cutAfter, 0);
    cuts++;
    disk.capacity = Number.POSITIVE_INFINITY;
    disk.powerOn();
    await engine.close().catch(() => undefined);
    candidates = [model.copy()];
    for (const { transaction } of unanswered) {
      const next = (candidates.at(-1) as LedgerModel).copy();
      next.apply(transaction, nameOf);
      candidates.push(next);
    }
  }
  return result(undefined);
}

function randomTransaction(
  chance: Chance,
  model: LedgerModel,
  deliveries: readonly Delivery[],
  nameOf: (stream: string, frame: number) => string,
  taken: Set<string>,
  newName: () => string,
): Transaction {
  const int = (below: number): number => Math.floor(chance() * below);
  const settlements: Transaction["settlements"][number][] = [];
  const appends: Transaction["appends"][number][] = [];
  const records: Transaction["records"][number][] = [];
  const marks: Transaction["marks"][number][] = [];
  const counts: Transaction["counts"][number][] = [];
  const append = (isNew: boolean, size: number): void => {
    const texts = Array.from({ length: size }, () => newName().padEnd(int(60), "."));
    const delayMs = chance() < 0.3 ? 1 + int(50) : 0;
    appends.push({ stream: STREAMS[int(3)] as string, frame: frameOf(texts), count: size, delayMs, isNew });
  };
  for (let i = int(3); i > 0; i--) append(true, 1 + int(6));
  for (let i = int(10); i > 0 && deliveries.length > 0; i--) {
    const { stream, frame } = deliveries[int(deliveries.length)] as Delivery;
    const known = model.frames.get(stream)?.get(nameOf(stream, frame));
    if (known === undefined || taken.has(`${stream}/${frame}`)) continue;
    taken.add(`${stream}/${frame}`);
    const open = known.texts.flatMap((_, place) => (known.done.has(place) ? [] : [place]));
    const from = open[int(open.length)] as number;
    let to = from + 1;
    while (to < known.texts.length && !known.done.has(to) && chance() < 0.85) to++;
    if (chance() < 0.15) {
      marks.push({
        stream,
        frame,
        place: from,
        mark: { kills: int(3), last: "signal SIGABRT", at: int(1_000) },
      });
      continue;
    }
    const outcome = OUTCOMES[int(OUTCOMES.length)] as Outcome;
    settlements.push({ stream, frame, from, to, outcome });
    if (outcome === "retried") {
      const texts = Array.from({ length: to - from }, () => newName());
      appends.push({ stream, frame: frameOf(texts), count: to - from, delayMs: int(3) * 10, isNew: false });
    }
  }
  if (chance() < 0.3) {
    const key = `key/${int(8)}`;
    records.push({ key, value: chance() < 0.3 ? undefined : Buffer.from(`value of ${newName()}`) });
  }
  if (chance() < 0.1) counts.push([STREAMS[int(3)] as string, "repeated:instance-died", 1 + int(4)]);
  return { settlements, appends, records, marks, counts };
}

/** Where what was found parts from the candidate that it has most in common with. */
function difference(candidates: readonly LedgerModel[], now: string): string {
  const found = now.split("\n");
  let best: { at: number; expected: string[] } = { at: -1, expected: [] };
  for (const candidate of candidates) {
    const expected = candidate.text(STREAMS).split("\n");
    const at = expected.findIndex((line, i) => line !== found[i]);
    if (at > best.at) best = { at, expected };
  }
  const around = (lines: readonly string[]): string =>
    lines.slice(Math.max(0, best.at - 4), best.at + 6).join("\n");
  return `line ${best.at}:\nexpected ${around(best.expected)}\nfound ${around(found)}`;
}
