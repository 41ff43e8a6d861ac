import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type Evidence, judge, type Kill, type KillKind, type Verdict } from "./delivery-verdict.ts";
import { isAlive, type RunProcess } from "./run-processes.ts";
import type { RunningServer } from "./server-process.ts";
import { monotonicMs } from "./sink-record.ts";
import { StormRun } from "./storm-run.ts";

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

/** R10 and the fault table: what a killed run leaves behind is gone within two seconds. */
const ORPHANS_MS = 2_000;
/** An instance notices a lost connection at its next turn; on a busy machine it may get that turn late. */
const STREAMS_SEEN_MS = 1_000;
const ROUND_LIMIT_MS = 120_000;

/** A server that can be killed and started again as it was. */
export type MortalServer = RunningServer & { restart(): Promise<MortalServer> };

/** What holds the streams of a run, where that is not the run's own engine. */
export interface KilledBroker {
  server: MortalServer;
}

/** One run of the kill-storm pipeline, killed as planned, resumed as often as it takes, judged. */
export class KillRound {
  readonly #plan: RoundPlan;
  readonly #folder: string;
  readonly #random: SeededRandom;
  readonly #kills: Kill[] = [];
  readonly #startedAt = monotonicMs();
  readonly #storm: StormRun;
  readonly #broker: KilledBroker | undefined;
  /** The broker's server is on its way back. */
  #return: Promise<void> = Promise.resolve();

  /** Begins at once; `folder` is removed in the end. The streams lie in `broker`, if there is one. */
  constructor(plan: RoundPlan, folder: string, broker?: KilledBroker) {
    this.#plan = plan;
    this.#folder = folder;
    this.#random = new SeededRandom(plan.seed);
    this.#broker = broker;
    this.#storm = new StormRun(folder, {}, { ...(broker && { streams: broker.server.url }) });
  }

  async run(): Promise<RoundReport> {
    let missed: string | undefined;
    let evidence: Evidence;
    try {
      const shares = this.#moments();
      for (const [i, kind] of this.#plan.kinds.entries()) {
        missed ??= await this.#kill(kind, shares[i] as number);
      }
      evidence = await this.#finish();
    } finally {
      await this.#return.catch(() => undefined);
      await this.#storm.end();
      rmSync(this.#folder, { recursive: true, force: true });
    }
    const wallMs = monotonicMs() - this.#startedAt;
    const { stderr } = this.#storm;
    return { plan: this.#plan, kills: this.#kills, verdict: judge(evidence), wallMs, missed, stderr };
  }

  /** Shares of the items that have reached the sink when a kill is due, in order. */
  #moments(): number[] {
    const { kinds } = this.#plan;
    // n.b. the source is done some time before the sink is.
    const moments = kinds.map(() => this.#random.between(0.02, 0.85)).sort((a, b) => a - b);
    // Some come at the heels of the one before, while that is still being dealt with.
    for (let i = 1; i < moments.length; i++) {
      if (this.#random.float() < 0.3) moments[i] = moments[i - 1] as number;
    }
    return moments;
  }

  async #kill(kind: KillKind, share: number): Promise<string | undefined> {
    if (kind === "suspect") return await this.#killSuspect();
    const due = Math.floor(share * this.#storm.settings.items);
    while (this.#storm.reached < due && !this.#storm.command.hasEnded) await sleep(2);
    await sleep(this.#random.between(0, 20));
    if (kind === "run") return await this.#killRun();
    if (kind === "server") return await this.#killServer();
    return await this.#shoot(kind, await this.#find(kind, 3_000));
  }

  /** A suspect instance lives from the death of another one until its items are through: catch it in that time. */
  async #killSuspect(): Promise<string | undefined> {
    const victim = await this.#find("suspect", 5_000);
    await sleep(this.#random.between(0, 250));
    return await this.#shoot("suspect", victim);
  }

  /** Kills the broker's server; it is away for a while, in which other kills may come. */
  async #killServer(): Promise<string | undefined> {
    const broker = this.#broker;
    if (broker === undefined) throw new Error("there is no server to be killed");
    if (!this.#isInFlight) return "the server was killed with nothing in flight";
    const { pid } = broker.server;
    const at = monotonicMs();
    await broker.server.kill();
    this.#kills.push({ kind: "server", pid, stage: "", at, over: monotonicMs() });
    const away = sleep(this.#random.between(0, 1_500));
    this.#return = away.then(async () => {
      broker.server = await broker.server.restart();
    });
    return undefined;
  }

  async #find(kind: Exclude<KillKind, "run" | "server">, limitMs: number): Promise<RunProcess | undefined> {
    for (const until = monotonicMs() + limitMs; monotonicMs() < until && !this.#storm.command.hasEnded; ) {
      const victims = this.#storm.processes(kind);
      if (victims.length > 0) return this.#random.pick(victims);
      await sleep(3);
    }
    return undefined;
  }

  get #isInFlight(): boolean {
    const { reached, settings, command } = this.#storm;
    return !command.hasEnded && reached > 0 && reached < settings.items;
  }

  async #shoot(kind: KillKind, victim: RunProcess | undefined): Promise<string | undefined> {
    if (victim === undefined || !isAlive(victim.pid)) return `no ${kind} was there to be killed`;
    if (!this.#isInFlight) return `the ${kind} was killed with nothing in flight`;
    const at = monotonicMs();
    process.kill(victim.pid, "SIGKILL");
    while (isAlive(victim.pid)) await sleep(1);
    const over = monotonicMs() + (kind === "streams" ? STREAMS_SEEN_MS : 0);
    this.#kills.push({ kind, pid: victim.pid, stage: victim.stage, at, over });
    return undefined;
  }

  /** Kills the command itself; what was under it must end by itself; then the same command goes on. */
  async #killRun(): Promise<string | undefined> {
    if (!this.#isInFlight) return "the run was killed with nothing in flight";
    const { command } = this.#storm;
    const at = monotonicMs();
    process.kill(command.pid, "SIGKILL");
    let left = this.#storm.left();
    while (left.length > 0 && monotonicMs() - at < ORPHANS_MS) {
      await sleep(10);
      left = this.#storm.left();
    }
    const over = monotonicMs();
    if (left.length > 0) {
      const lines = left.map((orphan) => orphan.command).join("; ");
      throw new Error(
        `seed ${this.#plan.seed}: ${ORPHANS_MS} ms after the run was killed there are still ${lines}`,
      );
    }
    this.#kills.push({ kind: "run", pid: command.pid, stage: "", at, over });
    await command.ended;
    // A command whose broker is not there ends with an error.
    await this.#return;
    this.#storm.again();
    return undefined;
  }

  async #finish(): Promise<Evidence> {
    const { command } = this.#storm;
    const limit = new AbortController();
    const left = Math.max(1, ROUND_LIMIT_MS - (monotonicMs() - this.#startedAt));
    const inTime = await Promise.race([
      command.ended,
      sleep(left, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
    return this.#storm.evidence({
      kills: this.#kills,
      result: inTime?.code === 0 ? command.result : undefined,
      exitCode: inTime?.code ?? null,
    });
  }
}
