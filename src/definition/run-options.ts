import type { DeadLetterDesk } from "./dead-letter.ts";
import type { PushOptions } from "./push.ts";
import type { RunEvent } from "./run-event.ts";
import type { RunResult } from "./run-result.ts";

export interface RunOptions<Params extends object = Record<string, unknown>, Input = unknown> {
  /** As the pipeline's schema asks for them; checked before anything starts. */
  readonly params?: Readonly<Params>;
  /** Jobs: what `split` gets. Left out, the job's own. A run goes on only with the input that it was begun with. */
  readonly input?: Input;
  /** Data directory; default `.millrace` in the working directory. */
  readonly data?: string;
  /**
   * Where the streams lie: `file:` (default), `memory:`, or a broker: `amqp(s)://`, `nats://`, `redis(s)://` with user,
   * password and options. A pipeline without a module takes `memory:` alone.
   */
  readonly streams?: string;
  /** Processes by stage; default 1 each. */
  readonly instances?: Readonly<Record<string, number>>;
  /** `auto` (default) goes on with an unfinished run of the same params; a run's name with that one. */
  readonly resume?: "auto" | "new" | (string & {});
  /** Stops the run, drained. */
  readonly signal?: AbortSignal;
}

export interface RunStatus {
  readonly run: string;
  readonly status: "running" | "paused" | RunResult["status"];
  readonly stages: RunResult["stages"];
  /** The disk of the data directory is low: no new items are taken. */
  readonly disk?: "low";
  /** What the run waits for, such as its broker, and for how long it has. */
  readonly trouble?: { readonly what: string; readonly forMs: number };
}

/** A run that was started. */
export interface Handle {
  readonly run: string;
  /** Resolves when the run is over. */
  readonly done: Promise<RunResult>;
  status(): Promise<RunStatus>;
  /**
   * Gives items to a push source. An array is a list of items, stored all or none; anything else is one item. Many
   * pushes at a time cost little: what is pushed in one turn of the event loop is stored together.
   *
   * Resolves when the items are durable. Beyond 8 MiB that are not, a push waits before it reads its items.
   *
   * Rejects with EncodingError MR_NOT_ENCODABLE, MR_ITEM_TOO_LARGE or MR_PUSH_TOO_LARGE (16 MiB a push), none of the
   * items being stored; RunError MR_RUN_UNKNOWN or MR_NOT_PUSHABLE for a source that is none, MR_RUN_OVER when the
   * run has ended; DefinitionError MR_BAD_OPTION; StreamError for what the streams refuse.
   */
  push<Item = unknown>(source: string, items: Item | readonly Item[], options?: PushOptions): Promise<void>;
  /**
   * Closes a push source, for good: no more items come, and when all is done the run completes by itself. What was
   * pushed with this handle before is stored first.
   *
   * Rejects with RunError MR_RUN_UNKNOWN, MR_NOT_PUSHABLE or MR_RUN_OVER.
   */
  close(source: string): Promise<void>;
  /**
   * Gives a stage, or without one all of them, no more items until {@link resume}. What is in hand is finished; the
   * instances of a stage end (`ctx.onDrain` says "paused"), a source waits before its next item.
   *
   * Rejects with RunError MR_RUN_UNKNOWN for a stage that is not there, MR_RUN_OVER, or MR_STAGE_STATE for one that
   * has completed; so do the other commands.
   */
  pause(stage?: string): Promise<void>;
  /** Ends the pause, or the stop, of a stage, or of all of them. */
  resume(stage?: string): Promise<void>;
  /**
   * Finishes what is in hand and stops; what is unfinished is kept. With `now` calls in hand are cancelled: their
   * `ctx.signal` aborts, and a second later their processes are ended. With a `stage` only that one stops, until it is
   * resumed, and the run goes on.
   */
  stop(how?: { readonly now?: boolean; readonly stage?: string }): Promise<void>;
  stop(stage: string, how?: { readonly now?: boolean }): Promise<void>;
  /** Sets the number of a stage's instances, whatever its settings say. Those too many finish what is in hand. */
  scale(stage: string, instances: number): Promise<void>;
  /**
   * The dead letters of the run, also after its end. Putting some back does not start a run that is over: `run` with
   * `resume` does. Rejects with RunError MR_STAGE_COMPLETED for a stage that has nothing more to do while others have:
   * wait for `done`; MR_RUN_OVER where the data of a run in memory went with it.
   */
  readonly dead: DeadLetterDesk;
  /** What happens in the run from now on, until it is over. */
  events(): AsyncIterableIterator<RunEvent>;
}

/** How far a job is. */
export interface JobProgress {
  /** Tasks that have a result, or are given up. */
  readonly done: number;
  /** Tasks that are known so far: all of them when `split` has ended. */
  readonly total: number;
  /** Tasks that have failed for good. */
  readonly failed: number;
  /** Tasks in the hands of instances. */
  readonly running: number;
}

/** A job that was started. */
export interface JobHandle<Output = unknown> extends Handle {
  readonly done: Promise<RunResult<Output>>;
  /** How far it is, now and whenever that has changed; ends when the job is over. */
  progress(): AsyncIterable<JobProgress>;
  /** The job's result. Rejects with JobFailedError when it has failed, with RunError when it was stopped. */
  result(): Promise<Output>;
  /** Stops it at once. What is done is kept: the same command goes on with what is left. */
  cancel(): Promise<void>;
}
