// Every instance loads this file before its stage's function: definitions only; what runs them is imported on demand.
export type { Context, DrainReason, ItemInfo, SetupContext } from "./definition/context.ts";
export type { Duration } from "./definition/duration.ts";
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
export { type Pipeline, pipeline } from "./definition/pipeline.ts";
export type { NoParams, PipelineOptions } from "./definition/pipeline-options.ts";
export type { StandardSchema } from "./definition/shape.ts";
export type { Size } from "./definition/size.ts";
export type { ItemHandler, SourceHandler } from "./definition/work.ts";
export {
  CallTimeoutError,
  CorruptionError,
  DataDirectoryError,
  DefinitionError,
  EncodingError,
  type ErrorCode,
  MillraceError,
  ProtocolError,
  RetryLater,
  RunError,
  StageError,
  StreamError,
  TerminalError,
  UsageError,
} from "./errors.ts";
