import type { DeadLetter } from "../definition/dead-letter.ts";
import type { RunResult } from "../definition/run-result.ts";
import type { ErrorInfo } from "../errors.ts";
import type { LogLevel } from "../instance/messages.ts";

/** One call of a stage's or sink's function. */
export interface SimulatedCall {
  readonly stage: string;
  /** The instance that made it: another one after each death. */
  readonly instance: string;
  /** The item, or those of the batch, as the function got them. */
  readonly items: readonly unknown[];
  readonly ids: readonly string[];
  /** 1 for the first; of a batch its first item's. */
  readonly attempt: number;
  /** Virtual milliseconds since the beginning. */
  readonly atMs: number;
}

/** A failed call that is to be made again. */
export interface SimulatedRetry {
  readonly stage: string;
  readonly item: unknown;
  readonly id: string;
  /** The call that failed: 1 for the first. */
  readonly attempt: number;
  /** Virtual milliseconds since the beginning at which it failed. */
  readonly atMs: number;
  /** Virtual milliseconds until the next call. */
  readonly delayMs: number;
  readonly error: ErrorInfo;
}

export interface SimulatedFault {
  readonly kind: "redeliver" | "kill";
  readonly stage: string;
  readonly instance: string;
  readonly atMs: number;
}

export interface SimulatedLog {
  readonly stage: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** How a simulation went. `durationMs` and all other times are virtual. */
export interface SimulationResult<Result = unknown> extends RunResult<Result> {
  readonly seed: number;
  /** What reached each stage and sink: every item once, in the order of their first calls. */
  readonly received: Readonly<Record<string, readonly unknown[]>>;
  /** What each source and stage placed: every item once for each edge that took it. */
  readonly outputs: Readonly<Record<string, readonly unknown[]>>;
  /** Every call of a stage's or sink's function, repeats and all, in order. */
  readonly calls: readonly SimulatedCall[];
  readonly retries: readonly SimulatedRetry[];
  readonly dead: readonly DeadLetter[];
  /** The faults that took place. */
  readonly faults: readonly SimulatedFault[];
  readonly logs: readonly SimulatedLog[];
}
