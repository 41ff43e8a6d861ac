import { countsOf } from "../coordinator/coordinator.ts";
import type { Stats } from "../coordinator/run-controller.ts";
import type { Counts, RunResult } from "../definition/run-result.ts";
import type { PipelineShape } from "../definition/shape.ts";
import type { ErrorInfo } from "../errors.ts";

/** The last that was seen of a run's streams. */
type LastSeen = Pick<Stats, "counts"> & {
  readonly streams: readonly { readonly name: string; readonly unsettled: number }[];
};

/** Puts a run's result together from the last that was seen of its streams. */
export function runResultOf(
  run: string,
  shape: PipelineShape,
  status: RunResult["status"],
  stats: LastSeen | undefined,
  durationMs: number,
  error: ErrorInfo | undefined,
  /** Default: as many as have died. */
  deadLetters?: number,
): RunResult {
  const stages: Record<string, Counts> = {};
  const repeats: Record<string, number> = {};
  for (const { name, kind } of shape.nodes) {
    const counters = stats?.counts[name] ?? {};
    stages[name] = countsOf(counters, kind);
    for (const [counter, value] of Object.entries(counters)) {
      if (!counter.startsWith("repeated:")) continue;
      const cause = counter.slice("repeated:".length);
      repeats[cause] = (repeats[cause] ?? 0) + value;
    }
  }
  const left = (stats?.streams ?? []).filter(({ unsettled }) => unsettled > 0);
  return {
    run,
    status,
    stages,
    ...(status !== "completed" &&
      left.length > 0 && {
        unsettled: Object.fromEntries(left.map(({ name, unsettled }) => [name, unsettled])),
      }),
    deadLetters: deadLetters ?? Object.values(stages).reduce((sum, { dead }) => sum + dead, 0),
    repeats,
    durationMs: Math.round(durationMs),
    ...(error === undefined ? {} : { error }),
  };
}
