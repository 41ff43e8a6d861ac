import { definitionOf } from "../definition/definition-of.ts";
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

/** Any pipeline, whatever its params. */
interface Runs {
  readonly name: string;
  [DEFINITION](): Definition;
}

type ParamsOf<P> = P extends Pipeline<infer Params extends object> ? Params : Record<string, unknown>;

/**
 * Runs a pipeline in memory, in this process, under a virtual clock: `simulate(p, { feed: [1, 2, 3] })` gives the
 * source `feed` these items, and resolves to what reached each stage and sink, the retries and the dead letters.
 * Items are encoded and decoded as in production, back-off and time-outs take no real time, and the same seed
 * gives the same run.
 *
 * Resolves whatever becomes of the items; a run that failed resolves to status `failed`, with its `error`.
 *
 * Rejects with DefinitionError for a pipeline that cannot run, UsageError MR_USAGE, MR_BAD_PARAMS or
 * MR_NOTHING_TO_RUN, RunError MR_SIMULATION_ENDLESS for a simulation that comes to no end.
 */
export async function simulate<P extends Runs>(
  what: P,
  options: SimulateOptions<ParamsOf<P>> = {},
): Promise<SimulationResult> {
  const definition = definitionOf(what);
  if (definition === undefined) {
    throw new UsageError("MR_NOTHING_TO_RUN", `simulate: ${describeValue(what)} is not a pipeline`);
  }
  return await new Simulation(readOptions(definition, options as SimulateOptions)).run();
}
