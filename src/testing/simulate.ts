import { definitionOf } from "../definition/definition-of.ts";
import type { Job } from "../definition/job.ts";
import type { Pipeline } from "../definition/pipeline.ts";
import type { DEFINITION, Definition } from "../definition/shape.ts";
import { describeValue, UsageError } from "../errors.ts";
import { readOptions } from "./read-options.ts";
import type { SimulateOptions } from "./simulate-options.ts";
import { Simulation } from "./simulation.ts";
import type { SimulationResult } from "./simulation-result.ts";

export type { Faults, KillPoint, SimulateOptions } from "./simulate-options.ts";
export type {
  SimulatedCall,
  SimulatedFault,
  SimulatedLog,
  SimulatedRetry,
  SimulationResult,
} from "./simulation-result.ts";

/** Any pipeline or job, whatever its params. */
interface Runs {
  readonly name: string;
  [DEFINITION](): Definition;
}

type ParamsOf<P> =
  P extends Job<infer _Input, infer _Output, infer Params>
    ? Params
    : P extends Pipeline<infer Params extends object>
      ? Params
      : Record<string, unknown>;

type InputOf<P> = P extends Job<infer Input, infer _Output, infer _Params> ? Input : never;
type OutputOf<P> = P extends Job<infer _Input, infer Output, infer _Params> ? Output : unknown;

/**
 * Runs a pipeline in memory, in this process, under a virtual clock: `simulate(p, { feed: [1, 2, 3] })` gives the
 * source `feed` these items, and resolves to what reached each stage and sink, the retries and the dead letters.
 * A job is given its input: `simulate(job, { input })`; its result is `result`.
 *
 * Items are encoded and decoded as in production, back-off and time-outs take no real time, and the same seed
 * gives the same run.
 *
 * Resolves whatever becomes of the items; a run that failed - a job, too - resolves to status `failed`, with its
 * `error`.
 *
 * Rejects with DefinitionError for a pipeline that cannot run, UsageError MR_USAGE, MR_BAD_PARAMS or
 * MR_NOTHING_TO_RUN, RunError MR_SIMULATION_ENDLESS for a simulation that comes to no end.
 */
export async function simulate<P extends Runs>(
  what: P,
  options: SimulateOptions<ParamsOf<P>, InputOf<P>> = {},
): Promise<SimulationResult<OutputOf<P>>> {
  const definition = definitionOf(what);
  if (definition === undefined) {
    throw new UsageError(
      "MR_NOTHING_TO_RUN",
      `simulate: ${describeValue(what)} is neither a pipeline nor a job`,
    );
  }
  const result = await new Simulation(readOptions(definition, options as SimulateOptions)).run();
  return result as SimulationResult<OutputOf<P>>;
}
