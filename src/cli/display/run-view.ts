/** One stage of a run, as people are shown it. */
export interface StageRow {
  readonly name: string;
  readonly kind: "source" | "stage" | "sink";
  /** Items placed on its stream; undefined for a source. */
  readonly in: number | undefined;
  /** Items that it gave back; of a sink, items that it has taken to their end. */
  readonly out: number;
  /** Items that are not done yet, those in hand and those that wait for another attempt included. */
  readonly waiting: number;
  /** Items done a second (of a source: given), smoothed; undefined until there is something to go by. */
  readonly perSecond: number | undefined;
  /** How long what waits takes at this rate; undefined when nothing waits, infinite when nothing moves. */
  readonly drainsInMs: number | undefined;
  readonly instances: number;
  /** Attempts that failed and were, or will be, tried again. */
  readonly retried: number;
  readonly dead: number;
  /** How far a source is, where it knows its size: `ctx.progress(done, total)`. */
  readonly progress: { readonly done: number; readonly total: number } | undefined;
}

/** A run at one moment, as people are shown it. Plain values: rendering them needs no clock and no terminal. */
export interface RunView {
  readonly pipeline: string;
  readonly run: string;
  /** `running`, `draining` … */
  readonly status: string;
  readonly elapsedMs: number;
  /** An estimate, where there is one. */
  readonly leftMs: number | undefined;
  /** Tasks, when it is a job. */
  readonly tasks: { readonly done: number; readonly total: number | undefined } | undefined;
  readonly stages: readonly StageRow[];
}

/** The same stages, at most `count` of them: those with the most to do, in the order of the pipeline. */
export function busiest(
  stages: readonly StageRow[],
  count: number,
): { readonly shown: readonly StageRow[]; readonly more: number } {
  if (stages.length <= count) return { shown: stages, more: 0 };
  const ranked = [...stages].sort(
    (a, b) => b.waiting - a.waiting || (b.perSecond ?? 0) - (a.perSecond ?? 0) || b.out - a.out,
  );
  const chosen = new Set(ranked.slice(0, Math.max(0, count)));
  return { shown: stages.filter((stage) => chosen.has(stage)), more: stages.length - chosen.size };
}
