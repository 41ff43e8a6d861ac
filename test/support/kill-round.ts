import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Credit } from "../../src/instance/credit.ts";
import { type Evidence, judge, type Kill, type KillKind, type Verdict } from "./delivery-verdict.ts";
import { MillraceCommand } from "./millrace-command.ts";
import { isAlive, processesOf, processesWith, type RunProcess } from "./run-processes.ts";
import { SeededRandom } from "./seeded-random.ts";
import { decodeSinkRecords, monotonicMs, RECORD_BYTES, type SinkRecord } from "./sink-record.ts";

export interface RoundPlan {
  readonly seed: number;
  /** In this order; a suspect is killed after the kill that made it one. */
  readonly kinds: readonly KillKind[];
}

export interface RoundReport {
  readonly plan: RoundPlan;
  readonly kills: readonly Kill[];
  readonly verdict: Verdict;
  readonly wallMs: number;
  /** Set when a kill did not land with items in flight: the round proves nothing. */
  readonly missed: string | undefined;
  readonly stderr: string;
}

export const ROUND = {
  items: 200_000,
  checkpoint: 500,
  sourcePaceMs: 0.025,
  sinkCostMs: 0.02,
  stages: { source: "feed", sink: "sink" },
  instances: { left: 2, sink: 2 },
} as const;

/** R10 and the fault table: what a killed run leaves behind is gone within two seconds. */
const ORPHANS_MS = 2_000;
/** An instance notices a lost connection at its next turn; on a busy machine it may get that turn late. */
const STREAMS_SEEN_MS = 1_000;
const ROUND_LIMIT_MS = 60_000;

/** One run of the kill-storm pipeline, killed as planned, resumed as often as it takes, judged. */
export class KillRound {
  readonly #plan: RoundPlan;
  readonly #folder: string;
  readonly #module: string;
  readonly #random: SeededRandom;
  readonly #kills: Kill[] = [];
  readonly #startedAt = monotonicMs();
  #command: MillraceCommand;
  #stderr = "";

  constructor(plan: RoundPlan, folder: string, module: string) {
    this.#plan = plan;
    this.#folder = folder;
    this.#module = module;
    this.#random = new SeededRandom(plan.seed);
    mkdirSync(join(folder, "records"), { recursive: true });
    this.#command = this.#launch();
  }

  #launch(): MillraceCommand {
    const { items, checkpoint, sourcePaceMs, sinkCostMs, instances } = ROUND;
    const counts = Object.entries(instances).flatMap(([stage, count]) => ["--instances", `${stage}=${count}`]);
    const data = join(this.#folder, "data");
    return new MillraceCommand(["run", this.#module, "--json", "--data", data, ...counts], {
      cwd: this.#folder,
      env: {
        STORM_FOLDER: this.#records,
        STORM_ITEMS: String(items),
        STORM_CHECKPOINT: String(checkpoint),
        STORM_SOURCE_PACE_MS: String(sourcePaceMs),
        STORM_SINK_COST_MS: String(sinkCostMs),
        TMPDIR: this.#folder,
      },
    });
  }

  get #records(): string {
    return join(this.#folder, "records");
  }

  /** Items that have reached the sink, repeats included. */
  #reached(): number {
    let bytes = 0;
    for (const name of readdirSync(this.#records)) bytes += statSync(join(this.#records, name)).size;
    return Math.floor(bytes / RECORD_BYTES);
  }

  async run(): Promise<RoundReport> {
    let missed: string | undefined;
    let evidence: Evidence;
    try {
      const shares = this.#moments();
      for (const [i, kind] of this.#plan.kinds.entries()) {
        missed ??= await this.#kill(kind, shares[i] as number);
        if (missed !== undefined) break;
      }
      evidence = await this.#finish();
    } finally {
      await this.#clean();
    }
    const wallMs = monotonicMs() - this.#startedAt;
    return { plan: this.#plan, kills: this.#kills, verdict: judge(evidence), wallMs, missed, stderr: this.#stderr };
  }

  /** Shares of the items that have reached the sink when a kill is due, in order. */
  #moments(): number[] {
    const { kinds } = this.#plan;
    const shares = kinds.map(() => this.#random.between(0.02, 0.9)).sort((a, b) => a - b);
    // What lies before the sink is done before it is: up to its kill, all kills are moved to where it is at work.
    const last = Math.max(kinds.lastIndexOf("source"), kinds.lastIndexOf("stage"));
    return shares.map((share, i) => (i <= last ? share * 0.75 : share));
  }

  async #kill(kind: KillKind, share: number): Promise<string | undefined> {
    if (kind === "suspect") return await this.#killSuspect();
    const due = Math.floor(share * ROUND.items);
    while (this.#reached() < due && !this.#command.hasEnded) await sleep(2);
    await sleep(this.#random.between(0, 20));
    if (kind === "run") return await this.#killRun();
    const victim = await this.#find(kind, 3_000);
    return this.#shoot(kind, victim);
  }

  /** A suspect instance lives from the death of another one until its items are through: catch it in that time. */
  async #killSuspect(): Promise<string | undefined> {
    const victim = await this.#find("suspect", 5_000);
    await sleep(this.#random.between(0, 250));
    return this.#shoot("suspect", victim);
  }

  async #find(kind: KillKind, limitMs: number): Promise<RunProcess | undefined> {
    for (const until = monotonicMs() + limitMs; monotonicMs() < until && !this.#command.hasEnded; ) {
      const victims = processesOf(this.#command.pid, ROUND.stages).filter((process) => process.kind === kind);
      if (victims.length > 0) return this.#random.pick(victims);
      await sleep(3);
    }
    return undefined;
  }

  async #shoot(kind: KillKind, victim: RunProcess | undefined): Promise<string | undefined> {
    const reached = this.#reached();
    if (victim === undefined || !isAlive(victim.pid)) return `no ${kind} was there to be killed`;
    if (reached === 0 || reached >= ROUND.items) return `the ${kind} was killed with nothing in flight`;
    const at = monotonicMs();
    process.kill(victim.pid, "SIGKILL");
    while (isAlive(victim.pid)) await sleep(1);
    const over = monotonicMs() + (kind === "streams" ? STREAMS_SEEN_MS : 0);
    this.#kills.push({ kind, pid: victim.pid, stage: victim.stage, at, over });
    return undefined;
  }

  /** Kills the command itself; what was under it must end by itself; then the same command goes on. */
  async #killRun(): Promise<string | undefined> {
    const reached = this.#reached();
    if (this.#command.hasEnded || reached === 0 || reached >= ROUND.items) return "the run was killed with nothing in flight";
    const { pid } = this.#command;
    const at = monotonicMs();
    process.kill(pid, "SIGKILL");
    let left = this.#left();
    while (left.length > 0 && monotonicMs() - at < ORPHANS_MS) {
      await sleep(10);
      left = this.#left();
    }
    const over = monotonicMs();
    this.#stderr += this.#command.stderr;
    if (left.length > 0) {
      throw new Error(`seed ${this.#plan.seed}: ${ORPHANS_MS} ms after the run was killed there are still ${left.map(({ command }) => command).join("; ")}`);
    }
    this.#kills.push({ kind: "run", pid, stage: "", at, over });
    await this.#command.ended;
    this.#command = this.#launch();
    return undefined;
  }

  #left(): { pid: number; command: string }[] {
    return processesWith(`STORM_FOLDER=${this.#records}`);
  }

  async #finish(): Promise<Evidence> {
    const limit = new AbortController();
    const left = Math.max(1, ROUND_LIMIT_MS - (monotonicMs() - this.#startedAt));
    const inTime = await Promise.race([
      this.#command.ended,
      sleep(left, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
    this.#stderr += this.#command.stderr;
    const records: SinkRecord[] = [];
    for (const name of readdirSync(this.#records)) {
      for (const record of decodeSinkRecords(readFileSync(join(this.#records, name)))) records.push(record);
    }
    return {
      items: ROUND.items,
      nodes: ["feed", "left", "right"],
      sink: "sink",
      records,
      kills: this.#kills,
      result: inTime?.code === 0 ? this.#command.result : undefined,
      exitCode: inTime?.code ?? null,
      sinkWindow: largestCredit(ROUND.sinkCostMs),
      sinkInstances: ROUND.instances.sink,
      sourceWindow: ROUND.checkpoint,
    };
  }

  async #clean(): Promise<void> {
    for (const { pid } of this.#left()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    while (this.#left().length > 0) await sleep(5);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Most items that an instance may have in hand when one costs at least so much: what its credit grows to. */
export function largestCredit(costMs: number): number {
  const credit = new Credit(1, 1);
  credit.took(costMs, 1);
  for (let i = 0; i < 32; i++) credit.ranDry();
  return credit.ask();
}
