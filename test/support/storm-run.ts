import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Credit } from "../../src/instance/credit.ts";
import { type Evidence, judge, type Verdict } from "./delivery-verdict.ts";
import { MillraceCommand } from "./millrace-command.ts";
import { type ProcessKind, processesOf, processesWith, type RunProcess } from "./run-processes.ts";
import { decodeSinkRecords, monotonicMs, reachedIn, type SinkRecord } from "./sink-record.ts";

const module = fileURLToPath(new URL("../e2e/fixtures/kill-storm.ts", import.meta.url));

export interface StormSettings {
  readonly items: number;
  /** The source sets a token every so many items. */
  readonly checkpoint: number;
  /** Time that the source takes for an item, and the sink at least; milliseconds. */
  readonly sourcePaceMs: number;
  /** Items that the source may be ahead of the sink. */
  readonly mostAhead: number;
  readonly sinkCostMs: number;
  readonly instances: { readonly left: number; readonly sink: number };
}

const DEFAULTS: StormSettings = {
  items: 200_000,
  checkpoint: 500,
  sourcePaceMs: 0,
  mostAhead: 20_000,
  sinkCostMs: 0.02,
  instances: { left: 2, sink: 2 },
};

/** A run of the kill-storm pipeline in a folder of its own: its command, its processes, what reached its sink. */
export class StormRun {
  readonly settings: StormSettings;
  readonly #folder: string;
  readonly #records: string;
  #command: MillraceCommand;
  readonly #streams: string | undefined;
  /** What earlier lives of the run wrote. */
  #stderr = "";

  /** `streams`: where they lie, as `--streams` takes it. */
  constructor(
    folder: string,
    settings: Partial<StormSettings> = {},
    options: { detached?: boolean; streams?: string } = {},
  ) {
    this.#streams = options.streams;
    this.settings = { ...DEFAULTS, ...settings };
    this.#folder = folder;
    this.#records = join(folder, "records");
    mkdirSync(this.#records, { recursive: true });
    this.#command = this.#launch(options.detached);
  }

  #launch(detached = false): MillraceCommand {
    const { items, checkpoint, sourcePaceMs, mostAhead, sinkCostMs, instances } = this.settings;
    const counts = Object.entries(instances).flatMap(([stage, count]) => [
      "--instances",
      `${stage}=${count}`,
    ]);
    const args = ["run", module, "--json", "--data", join(this.#folder, "data"), ...counts];
    if (this.#streams !== undefined) args.push("--streams", this.#streams);
    return new MillraceCommand(args, {
      cwd: this.#folder,
      detached,
      env: {
        STORM_FOLDER: this.#records,
        STORM_ITEMS: String(items),
        STORM_CHECKPOINT: String(checkpoint),
        STORM_SOURCE_PACE_MS: String(sourcePaceMs),
        STORM_MOST_AHEAD: String(mostAhead),
        STORM_SINK_COST_MS: String(sinkCostMs),
        TMPDIR: this.#folder,
      },
    });
  }

  /** The life that is under way, or the last one. */
  get command(): MillraceCommand {
    return this.#command;
  }

  get stderr(): string {
    return this.#stderr + this.#command.stderr;
  }

  /** Runs the same command again. */
  again(detached = false): void {
    this.#stderr += this.#command.stderr;
    this.#command = this.#launch(detached);
  }

  /** Items that have reached the sink, repeats included. */
  get reached(): number {
    return reachedIn(this.#records);
  }

  processes(kind?: ProcessKind): RunProcess[] {
    const all = processesOf(this.#command.pid, { source: "feed", sink: "sink" });
    return kind === undefined ? all : all.filter((process) => process.kind === kind);
  }

  async find(kind: ProcessKind): Promise<RunProcess> {
    await this.until(() => this.processes(kind).length > 0);
    return this.processes(kind)[0] as RunProcess;
  }

  /** Everything that was started for this run and lives, wherever it hangs in the tree of processes. */
  left(): { readonly pid: number; readonly command: string }[] {
    return processesWith(`STORM_FOLDER=${this.#records}`);
  }

  /** Waits for a condition; fails when the command ends first, or after `limitMs`. */
  async until(condition: () => boolean, limitMs = 30_000): Promise<void> {
    const deadline = monotonicMs() + limitMs;
    while (!condition()) {
      if (this.#command.hasEnded) throw new Error(`the command has ended: ${this.stderr}`);
      if (monotonicMs() > deadline) throw new Error(`not within ${limitMs} ms: ${condition}; ${this.stderr}`);
      await sleep(2);
    }
  }

  evidence(known: Pick<Evidence, "kills" | "result" | "exitCode">): Evidence {
    const records: SinkRecord[] = [];
    for (const name of readdirSync(this.#records)) {
      for (const record of decodeSinkRecords(readFileSync(join(this.#records, name)))) records.push(record);
    }
    return {
      ...known,
      items: this.settings.items,
      nodes: ["feed", "left", "right"],
      sink: "sink",
      records,
      sinkWindow: largestCredit(this.settings.sinkCostMs),
      sinkInstances: this.settings.instances.sink,
      sourceWindow: this.settings.checkpoint,
    };
  }

  judge(known: Pick<Evidence, "kills" | "result" | "exitCode">): Verdict {
    return judge(this.evidence(known));
  }

  /** Ends whatever is left of it. */
  async end(): Promise<void> {
    for (let left = this.left(); left.length > 0; left = this.left()) {
      for (const { pid } of left) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended by itself.
        }
      }
      await sleep(5);
    }
  }
}

/** Most items that an instance may have in hand when one costs at least so much: what its credit grows to. */
export function largestCredit(costMs: number): number {
  const credit = new Credit(1, 1);
  credit.took(costMs, 1);
  for (let i = 0; i < 32; i++) credit.ranDry();
  return credit.ask();
}
