import type { PipelineShape } from "../../definition/shape.ts";
import { Rate } from "./rate.ts";
import type { RunView, StageRow } from "./run-view.ts";
import { troubleText } from "./trouble-text.ts";

/** What is known of a run's streams: see `agent.streams-stats`. */
export interface Figures {
  readonly disk?: "low";
  readonly trouble?: { readonly what: string; readonly forMs: number };
  readonly streams: readonly { readonly name: string; readonly unsettled: number }[];
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Below this an item is not on its way any more. */
const STANDSTILL_PER_SECOND = 1e-3;

/** Makes rates and estimates of the figures that come in one after the other. */
export class RunFigures {
  readonly #shape: PipelineShape;
  readonly #run: string;
  readonly #rates = new Map<string, Rate>();
  readonly #progress = new Map<string, { done: number; total: number | undefined }>();
  readonly #progressRates = new Map<string, Rate>();
  #figures: Figures = { streams: [], counts: {} };

  constructor(shape: PipelineShape, run: string) {
    this.#shape = shape;
    this.#run = run;
  }

  /** What a source or stage says of how far it is. */
  noteProgress(stage: string, done: number, total: number | undefined): void {
    this.#progress.set(stage, { done, total });
  }

  /** The streams as they were at a monotonic time. */
  note(atMs: number, figures: Figures): void {
    this.#figures = figures;
    for (const { name, kind } of this.#shape.nodes) {
      const counts = figures.counts[name] ?? {};
      rateOf(this.#rates, name).note(atMs, kind === "source" ? (counts.emitted ?? 0) : doneOf(counts));
      const progress = this.#progress.get(name);
      if (progress !== undefined) rateOf(this.#progressRates, name).note(atMs, progress.done);
    }
  }

  view(now: {
    readonly status: string;
    readonly elapsedMs: number;
    instancesOf(stage: string): number;
  }): RunView {
    const stages = this.#shape.nodes.map((node) => this.#rowOf(node, now.instancesOf(node.name)));
    return {
      pipeline: this.#shape.name,
      run: this.#run,
      status: statusOf(now.status, this.#figures),
      elapsedMs: now.elapsedMs,
      leftMs: this.#leftMs(stages),
      tasks: this.#tasks(now),
      stages,
    };
  }

  /** Of a job: how many there are is known when its split is over. */
  #tasks({ instancesOf }: { instancesOf(stage: string): number }): RunView["tasks"] {
    const nodeOf = (part: string): string | undefined =>
      this.#shape.nodes.find((node) => node.part === part)?.name;
    const process = nodeOf("process");
    const split = nodeOf("split");
    if (process === undefined || split === undefined) return undefined;
    const isSplit = instancesOf(split) === 0;
    return {
      done: doneOf(this.#figures.counts[process] ?? {}),
      total: isSplit ? (this.#figures.counts[split]?.emitted ?? 0) : undefined,
    };
  }

  #rowOf({ name, kind }: PipelineShape["nodes"][number], instances: number): StageRow {
    const counts = this.#figures.counts[name] ?? {};
    const waiting = this.#figures.streams.find((stream) => stream.name === name)?.unsettled ?? 0;
    const perSecond = this.#rates.get(name)?.perSecond;
    const progress = this.#progress.get(name);
    return {
      name,
      kind,
      in: kind === "source" ? undefined : (counts.accepted ?? 0),
      out: kind === "sink" ? (counts.completed ?? 0) + (counts.filtered ?? 0) : (counts.emitted ?? 0),
      waiting,
      perSecond,
      drainsInMs: drainsInMs(waiting, perSecond),
      instances,
      retried: counts.retried ?? 0,
      dead: counts.dead ?? 0,
      progress:
        progress?.total === undefined || progress.total <= 0
          ? undefined
          : { done: Math.min(progress.done, progress.total), total: progress.total },
    };
  }

  /** Until the sources that know their size are through and everything has drained; nothing where one does not know. */
  #leftMs(stages: readonly StageRow[]): number | undefined {
    const parts: number[] = [];
    for (const { name, kind, instances, progress, drainsInMs } of stages) {
      if (drainsInMs !== undefined) parts.push(drainsInMs);
      if (kind !== "source" || instances === 0) continue;
      if (progress === undefined) return undefined;
      const left = drainsOf(progress.total - progress.done, this.#progressRates.get(name)?.perSecond);
      if (left === undefined) return undefined;
      parts.push(left);
    }
    const longest = Math.max(...parts);
    return Number.isFinite(longest) ? longest : undefined;
  }
}

/** With what holds the run up, if anything does. */
function statusOf(status: string, { disk, trouble }: Figures): string {
  const reasons = [
    ...(disk === undefined ? [] : ["disk low: sources wait"]),
    ...(trouble === undefined ? [] : [troubleText(trouble)]),
  ];
  return reasons.length === 0 ? status : `${status} (${reasons.join("; ")})`;
}

function drainsInMs(waiting: number, perSecond: number | undefined): number | undefined {
  return waiting === 0 ? undefined : drainsOf(waiting, perSecond);
}

function drainsOf(amount: number, perSecond: number | undefined): number | undefined {
  if (perSecond === undefined) return undefined;
  if (amount <= 0) return 0;
  return perSecond < STANDSTILL_PER_SECOND ? Number.POSITIVE_INFINITY : (amount / perSecond) * 1_000;
}

function doneOf(counts: Readonly<Record<string, number>>): number {
  return ["completed", "filtered", "dead", "discarded", "quarantined"].reduce(
    (sum, counter) => sum + (counts[counter] ?? 0),
    0,
  );
}

function rateOf(rates: Map<string, Rate>, name: string): Rate {
  const known = rates.get(name) ?? new Rate();
  rates.set(name, known);
  return known;
}
