import type { ErrorInfo } from "../errors.ts";

/**
 * Deliveries of items to a stage, by how they ended. In a completed run
 * accepted = completed + filtered + dead + discarded + quarantined.
 */
export interface Counts {
  /** Items placed on the stage's stream; 0 for a source. */
  readonly accepted: number;
  /** A sink's success, or at least one output placed. */
  readonly completed: number;
  /** Nothing was placed. */
  readonly filtered: number;
  readonly dead: number;
  readonly discarded: number;
  readonly quarantined: number;
  /** Items that the function gave back, before routing. */
  readonly emitted: number;
}

/** The task that a job has failed of. */
export interface FailedTask {
  /** Its place in the split, from 0. */
  readonly position: number;
  readonly input: unknown;
  readonly error: ErrorInfo;
}

export interface RunResult<Result = unknown> {
  readonly run: string;
  readonly status: "completed" | "stopped" | "failed";
  readonly stages: Readonly<Record<string, Counts>>;
  /** Dead letters that lie in the run now; `dead` of its stages also counts those that were replayed or dropped. */
  readonly deadLetters: number;
  /** Items that are kept, by stage: waiting, in hand or delayed when the run ended. None: left out. */
  readonly unsettled?: Readonly<Record<string, number>>;
  /** Items processed again, by cause. */
  readonly repeats: Readonly<Record<string, number>>;
  readonly durationMs: number;
  /** Jobs that are completed: what `combine` gave. */
  readonly result?: Result;
  /** Why the run failed. */
  readonly error?: ErrorInfo;
  /** Jobs: the task that has failed for good, where that is why. */
  readonly failedTask?: FailedTask;
}
