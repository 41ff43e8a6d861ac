import { hasStream } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { RunError } from "../errors.ts";
import { DeadLetters } from "./dead-letters.ts";
import { type FoundRun, findRun, type RunQuery } from "./find-run.ts";
import { RunRecords } from "./run-records.ts";

export interface LettersQuery extends RunQuery {
  /** Must be one of the run's. */
  readonly stage?: string;
}

/** The dead letters of a run that is found by its name in a data directory. */
export interface OpenedLetters {
  readonly found: FoundRun;
  readonly letters: DeadLetters;
  /** `isLive`, and what was found damaged in the run's log, for people. */
  readonly records: RunRecords;
  close(): Promise<void>;
}

/**
 * Opens the dead letters of a run, live or not. `onWait` is told when something has to wait for the run's end.
 *
 * Throws RunError MR_RUN_UNKNOWN for a run or stage that is not there, DataDirectoryError for a directory that
 * cannot be used or a run that is locked. Makes nothing in a directory that is not there.
 */
export async function openLetters(
  env: Env,
  query: LettersQuery,
  onWait: (why: string) => void = () => undefined,
): Promise<OpenedLetters> {
  const { stage } = query;
  const found = await findRun(env, query);
  const { run, pipeline, shape } = found.manifest;
  if (stage !== undefined && !shape.nodes.some((node) => node.name === stage)) {
    throw new RunError(
      "MR_RUN_UNKNOWN",
      `run ${run} of pipeline ${pipeline}: it has no stage ${JSON.stringify(stage)}; it has ${shape.nodes.map((node) => node.name).join(", ")}`,
    );
  }
  const records = await RunRecords.open(env, found, onWait);
  const stages = shape.nodes.filter(hasStream).map((node) => node.name);
  return {
    found,
    records,
    letters: new DeadLetters({ clock: env.clock, stages, access: records }),
    close: () => records.close(),
  };
}
