// Every instance loads this file before its stage's function: definitions only; what runs them is imported on demand.
import type { Job } from "./definition/job.ts";
import type { Pipeline } from "./definition/pipeline.ts";
import type { Handle, JobHandle, RunOptions } from "./definition/run-options.ts";
import type { RunResult } from "./definition/run-result.ts";
import type { DEFINITION, Definition } from "./definition/shape.ts";
import { RunError } from "./errors.ts";

export { type BlobContent, blob } from "./definition/blob.ts";
export type { Config } from "./definition/config.ts";
export type { Context, DrainReason, ItemInfo, SetupContext } from "./definition/context.ts";
export type {
  DeadLetter,
  DeadLetterChange,
  DeadLetterChoice,
  DeadLetterDesk,
  DeadLetterFilter,
  DeadLetterList,
} from "./definition/dead-letter.ts";
export type { Duration } from "./definition/duration.ts";
export {
  type Combine,
  type CombineContext,
  type Fold,
  type Job,
  type JobOptions,
  job,
  type LinesJobOptions,
  type PlainJobOptions,
  type SplitContext,
} from "./definition/job.ts";
export type { Logger } from "./definition/logger.ts";
export { type Many, many } from "./definition/many.ts";
export type { EdgeOptions, Sink, Source, Stage, Target } from "./definition/node.ts";
export type {
  BackoffOptions,
  BatchOptions,
  BatchStageOptions,
  ResourceOptions,
  RetryOptions,
  SourceOptions,
  StageOptions,
} from "./definition/node-options.ts";
export type {
  BreakerOptions,
  CapacityOptions,
  DedupeOptions,
  RateOptions,
} from "./definition/pacing-options.ts";
export { type Pipeline, pipeline } from "./definition/pipeline.ts";
export type { NoParams, PipelineOptions } from "./definition/pipeline-options.ts";
export type { Priority } from "./definition/priority.ts";
export { type Push, type PushOptions, push } from "./definition/push.ts";
export type { RunEvent } from "./definition/run-event.ts";
export type { Handle, JobHandle, JobProgress, RunOptions, RunStatus } from "./definition/run-options.ts";
export type { Counts, FailedTask, RunResult } from "./definition/run-result.ts";
export { type Secret, secret } from "./definition/secret.ts";
export type { StandardSchema } from "./definition/shape.ts";
export type { Size } from "./definition/size.ts";
export { type Task, type TaskOptions, task } from "./definition/task.ts";
export type { ItemHandler, SourceHandler } from "./definition/work.ts";
export {
  CallTimeoutError,
  CorruptionError,
  DataDirectoryError,
  DefinitionError,
  EncodingError,
  type ErrorCode,
  JobFailedError,
  MillraceError,
  ProtocolError,
  RetryLater,
  RunError,
  StageError,
  StreamError,
  TerminalError,
  UsageError,
} from "./errors.ts";
export type { MessageProperties, ReadableProperty } from "./foreign/amqp-properties.ts";
export type { CodecOption, QueueCodec } from "./foreign/codec.ts";
export type { Credentials } from "./foreign/credentials.ts";
export { fromQueue } from "./foreign/from-queue.ts";
export type {
  FromAmqp,
  FromNats,
  FromQueueOptions,
  FromRedis,
  QueueAccess,
  ToAmqp,
  ToNats,
  ToQueueOptions,
  ToRedis,
} from "./foreign/queue-options.ts";
export { toQueue } from "./foreign/to-queue.ts";
export type { BadRow, OnBadRow } from "./sources/bad-row.ts";
export { type CronOptions, cron } from "./sources/cron.ts";
export { type CsvOptions, csv } from "./sources/csv.ts";
export type { CsvType } from "./sources/csv-types.ts";
export { type EveryOptions, every } from "./sources/every.ts";
export type { FileOptions, ReadySource } from "./sources/file-source.ts";
export type { FileName, FileSpec } from "./sources/file-spec.ts";
export { type FilesOptions, type FoundFile, files } from "./sources/files.ts";
export { type HttpPushOptions, httpPush } from "./sources/http-push.ts";
export { type LinesOptions, lines } from "./sources/lines.ts";
export { type NdjsonOptions, ndjson } from "./sources/ndjson.ts";
export type { Missed, Tick } from "./sources/ticks.ts";
export type { StoredBlob } from "./wire/stored-blob.ts";

/** Any pipeline or job, whatever its params. */
interface Runs {
  readonly name: string;
  [DEFINITION](): Definition;
}

/** The params of a pipeline or job, as `run` takes them. */
export type ParamsOf<P> =
  P extends Job<infer _Input, infer _Output, infer Params>
    ? Params
    : P extends Pipeline<infer Params extends object>
      ? Params
      : Record<string, unknown>;

/** What `run` may be told of a pipeline or job. */
export type RunOptionsOf<P> = RunOptions<
  ParamsOf<P>,
  P extends Job<infer Input, infer _Output, infer _Params>
    ? Input
    : P extends Pipeline<infer _>
      ? never
      : unknown
>;

/** What {@link start} gives. */
export type HandleOf<P> =
  P extends Job<infer _Input, infer Output, infer _Params> ? JobHandle<Output> : Handle;

/** What {@link run} gives. */
export type ResultOf<P> = RunResult<
  P extends Job<infer _Input, infer Output, infer _Params> ? Output : unknown
>;

/** A pipeline or job, or the file: URL of a module that exports one (`#name` behind it names the export). */
export type Runnable<P> = P | URL | string;

/**
 * Starts a run and gives a handle to it.
 *
 * A pipeline or job that knows its module (`module: import.meta.url`), and a module by its URL, run with each stage
 * in processes of its own; without a module it runs inside this process, over memory streams.
 *
 * Rejects with a MillraceError: MR_RUN_IN_INSTANCE inside an instance, MR_BAD_PARAMS, and what else keeps a run
 * from starting.
 */
export async function start<P extends Runs = Runs>(
  what: Runnable<P>,
  options: RunOptionsOf<P> = {},
): Promise<HandleOf<P>> {
  const { startRun } = await runner();
  return (await startRun(what, options as RunOptions)) as HandleOf<P>;
}

/**
 * Runs a pipeline or job to its end; see {@link start}. Dead letters do not reject. A failed pipeline resolves to
 * status `failed`; a failed job rejects with JobFailedError.
 */
export async function run<P extends Runs = Runs>(
  what: Runnable<P>,
  options: RunOptionsOf<P> = {},
): Promise<ResultOf<P>> {
  const { runToEnd } = await runner();
  return (await runToEnd(what, options as RunOptions)) as ResultOf<P>;
}

async function runner(): Promise<typeof import("./run/run.ts")> {
  const role = (globalThis as Record<symbol, unknown>)[Symbol.for("millrace.role")];
  if (role !== undefined) {
    throw new RunError(
      "MR_RUN_IN_INSTANCE",
      "run: it was called while its module was being imported by millrace itself; call it in another file, or start the module with `millrace run`",
    );
  }
  return await import("./run/run.ts");
}
