import type { RunResult } from "../../src/definition/run-result.ts";
import { fold, type SinkRecord } from "./sink-record.ts";

/** Time in which the death of an instance, or of the streams process, has been told and written down. */
const TOLD_MS = 1_000;

export const KILL_KINDS = ["source", "stage", "sink", "suspect", "streams", "run"] as const;
/** `server`: the broker that the streams lie in; its death explains no repeat. */
export type KillKind = (typeof KILL_KINDS)[number] | "server";

/** A kill -9 that landed. Times are monotonic milliseconds. */
export interface Kill {
  readonly kind: KillKind;
  readonly pid: number;
  readonly stage: string;
  readonly at: number;
  /** When nothing that it killed could write any more. */
  readonly over: number;
}

/** What is known of a run whose processes were killed, from outside of it. */
export interface Evidence {
  /** Items 0 to before this were to reach the sink. */
  readonly items: number;
  /** The nodes that an item passes before its sink, the source first. */
  readonly nodes: readonly string[];
  readonly sink: string;
  readonly records: readonly SinkRecord[];
  readonly kills: readonly Kill[];
  /** Of the life that ended by itself; undefined when none did. */
  readonly result: RunResult | undefined;
  readonly exitCode: number | null;
  /** Most items that one instance of the sink may have in hand; how many instances it has. */
  readonly sinkWindow: number;
  readonly sinkInstances: number;
  /** Most items that a source may have stored since its last durable token. */
  readonly sourceWindow: number;
}

export interface Verdict {
  /** What is wrong, in words; nothing: the run kept its promises. */
  readonly problems: readonly string[];
  /** Times that an item was given to the sink again, without having been stored again. */
  readonly redelivered: number;
  /** Items that a restarted source gave again, under their ids. */
  readonly givenAgain: number;
  /** How many repeats the kills account for at most. */
  readonly allowed: number;
}

/** Judges a run by what its sink wrote down. Strict: what cannot be explained by a kill is a problem. */
export function judge(evidence: Evidence): Verdict {
  const { records, items } = evidence;
  const problems: string[] = [];
  const byId = new Map<number, SinkRecord[]>();
  for (const record of records) {
    const known = byId.get(record.id);
    if (known === undefined) byId.set(record.id, [record]);
    else known.push(record);
  }
  problems.push(...lostOf(byId, items), ...strangersOf(evidence));

  const repeats = new Repeats(evidence.kills);
  let givenAgain = 0;
  for (const [id, seen] of byId) {
    if (seen.length === 1) continue;
    seen.sort((a, b) => a.at - b.at);
    const stored = new Map<string, SinkRecord[]>();
    for (const record of seen) {
      const path = record.hops.join("/");
      const same = stored.get(path);
      if (same === undefined) stored.set(path, [record]);
      else same.push(record);
    }
    for (const same of stored.values()) {
      for (let i = 1; i < same.length; i++) {
        repeats.add(id, same[i - 1] as SinkRecord, same[i] as SinkRecord);
      }
    }
    const first = seen[0] as SinkRecord;
    if (seen.some((record) => record.hops[0] !== first.hops[0]))
      problems.push(`item ${id}: its source gave it two ids`);
    const placed = new Map<bigint, Set<bigint>>();
    for (const { hops } of seen) {
      const then = placed.get(hops[1] as bigint) ?? new Set();
      placed.set(hops[1] as bigint, then.add(hops[2] as bigint));
    }
    for (const then of placed.values()) {
      if (then.size > 1)
        problems.push(`item ${id}: it was stored ${then.size} times between the last stage and the sink`);
    }
    if (placed.size > 1) {
      givenAgain += placed.size - 1;
      const isAfterRestart = evidence.kills.some(
        ({ kind, at }) => (kind === "source" || kind === "run") && at <= (seen.at(-1) as SinkRecord).at,
      );
      if (!isAfterRestart)
        problems.push(
          `item ${id}: it was stored ${placed.size} times behind the first stage, and no source was restarted`,
        );
    }
  }
  problems.push(...repeats.problems(evidence));
  const sourceAllowed = evidence.sourceWindow * countKinds(evidence.kills, ["source", "run"]);
  if (givenAgain > sourceAllowed)
    problems.push(`${givenAgain} items were given again by the source; its restarts allow ${sourceAllowed}`);
  problems.push(...accountsOf(evidence, givenAgain, repeats.count));
  for (const { kind, over, pid } of evidence.kills) {
    if (!records.some(({ at }) => at > over))
      problems.push(`kill of ${kind} ${pid}: nothing reached the sink after it, so nothing was in flight`);
  }
  return {
    problems,
    redelivered: repeats.count,
    givenAgain,
    allowed: sourceAllowed + evidence.kills.reduce((sum, kill) => sum + windowOf(kill, evidence), 0),
  };
}

/** Items that never came, by where they are missing: in the middle is the worst, a prefix is a store that began anew. */
function lostOf(byId: ReadonlyMap<number, unknown>, items: number): string[] {
  const lost: number[] = [];
  for (let id = 0; id < items; id++) if (!byId.has(id)) lost.push(id);
  if (lost.length === 0) return [];
  let prefix = 0;
  while (prefix < lost.length && lost[prefix] === prefix) prefix++;
  let postfix = 0;
  while (postfix < lost.length - prefix && lost[lost.length - 1 - postfix] === items - 1 - postfix) postfix++;
  const middle = lost.length - prefix - postfix;
  return [
    `lost ${lost.length} items: prefix ${prefix}, middle ${middle}, postfix ${postfix}; the first: ${lost.slice(0, 5).join(", ")}`,
  ];
}

function strangersOf({ records, items, nodes }: Evidence): string[] {
  const problems: string[] = [];
  for (const { id, path } of records) {
    if (problems.length > 5) break;
    if (id >= items) problems.push(`unexpected: item ${id} was never given`);
    const expected = nodes.reduce(fold, id);
    if (path !== expected)
      problems.push(`item ${id}: its path is ${path}, not ${expected}: it passed other stages`);
  }
  return problems;
}

/** Deliveries to the sink that took place more than once, each with the kills that may be why. */
class Repeats {
  count = 0;
  readonly #kills: readonly Kill[];
  readonly #unexplained: string[] = [];
  /** Repeats that can be explained by this kill alone. */
  readonly #ofOne = new Map<Kill, number>();

  constructor(kills: readonly Kill[]) {
    this.#kills = kills;
  }

  add(id: number, before: SinkRecord, after: SinkRecord): void {
    this.count++;
    const causes = this.#kills.filter((kill) => {
      if (before.at > kill.over || after.at < kill.at) return false;
      if (kill.kind === "streams" || kill.kind === "run") return true;
      return (kill.kind === "sink" || kill.kind === "suspect") && kill.pid === before.pid;
    });
    const [cause] = causes;
    if (cause === undefined) {
      this.#unexplained.push(
        `item ${id}: process ${before.pid} had it, process ${after.pid} got it again ${(after.at - before.at).toFixed(1)} ms later, and no kill explains it`,
      );
    } else if (causes.length === 1) this.#ofOne.set(cause, (this.#ofOne.get(cause) ?? 0) + 1);
  }

  problems(evidence: Evidence): string[] {
    const problems = this.#unexplained.slice(0, 5);
    if (this.#unexplained.length > 5)
      problems.push(`… and ${this.#unexplained.length - 5} more repeats that no kill explains`);
    let allowed = 0;
    for (const kill of this.#kills) allowed += windowOf(kill, evidence);
    if (this.count > allowed) problems.push(`${this.count} repeats at the sink; the kills allow ${allowed}`);
    for (const [kill, repeats] of this.#ofOne) {
      const window = windowOf(kill, evidence);
      if (repeats > window)
        problems.push(
          `kill of ${kill.kind} ${kill.pid}: ${repeats} repeats at the sink; its window is ${window}`,
        );
    }
    return problems;
  }
}

/** Deliveries to the sink that a kill may repeat. */
function windowOf({ kind, stage }: Kill, { sink, sinkWindow, sinkInstances }: Evidence): number {
  if (kind === "streams" || kind === "run") return sinkWindow * sinkInstances;
  if (stage !== sink) return 0;
  return kind === "suspect" ? 1 : sinkWindow;
}

function countKinds(kills: readonly Kill[], kinds: readonly KillKind[]): number {
  return kills.filter(({ kind }) => kinds.includes(kind)).length;
}

/** What the run says of itself must agree with what was seen. */
function accountsOf(evidence: Evidence, givenAgain: number, redelivered: number): string[] {
  const { result, exitCode, items, nodes, sink, kills, records } = evidence;
  if (result === undefined) return ["unknown: no life of the run came to its end"];
  const problems: string[] = [];
  if (result.status !== "completed" || exitCode !== 0)
    problems.push(`the run ended as ${result.status}, exit code ${exitCode}`);
  const accepted = items + givenAgain;
  for (const stage of [...nodes.slice(1), sink]) {
    const counts = result.stages[stage];
    if (counts === undefined) {
      problems.push(`stage ${stage}: the result has no counts of it`);
      continue;
    }
    const { completed, filtered, dead, discarded, quarantined } = counts;
    const settled = completed + filtered + dead + discarded + quarantined;
    if (counts.accepted !== settled)
      problems.push(`stage ${stage}: accepted ${counts.accepted}, settled ${settled}`);
    if (completed !== settled)
      problems.push(
        `stage ${stage}: ${dead} dead, ${filtered} filtered, ${discarded} discarded, ${quarantined} quarantined`,
      );
    if (counts.accepted !== accepted) {
      problems.push(
        `stage ${stage}: accepted ${counts.accepted}, not ${accepted}: ${items} items and ${givenAgain} given again`,
      );
    }
  }
  const told = result.repeats["source-restarted"] ?? 0;
  if (told !== givenAgain) problems.push(`repeats: source-restarted is ${told}, ${givenAgain} were seen`);
  const stored = new Set(records.map(({ hops }) => hops.at(-1))).size;
  if (stored !== accepted) problems.push(`the sink saw ${stored} stored items, not ${accepted}`);
  // Who had what in hand when both were killed who knew of it - the whole run, or an instance together with the
  // streams process - nobody is left to tell.
  let counted = 0;
  for (const cause of ["instance-died", "streams-restarted", "drain-cut-short"])
    counted += result.repeats[cause] ?? 0;
  if (!kills.some((kill) => leavesNobodyToTell(kill, kills)) && redelivered > counted) {
    problems.push(`repeats: ${counted} are told, ${redelivered} were seen at the sink`);
  }
  return problems;
}

function leavesNobodyToTell(kill: Kill, kills: readonly Kill[]): boolean {
  if (kill.kind === "run") return true;
  if (kill.kind !== "streams") return false;
  return kills.some((other) => other !== kill && other.at <= kill.over && other.over + TOLD_MS >= kill.at);
}
