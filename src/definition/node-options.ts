/** The options of a source, stage or sink: the types that users write against, and the one table behind them. */
import type { Context } from "./context.ts";
import type { Duration } from "./duration.ts";
import { ENGINE, type StageEngineOptions } from "./engine-options.ts";
import { LANE_FIELDS, type LaneOptions, lanesOf } from "./lane-options.ts";
import {
  concurrency,
  duration,
  functionLike,
  instances,
  numberFrom,
  oneOf,
  size,
  wholeNumber,
} from "./option-rules.ts";
import { type CapacityOptions, PACING_FIELDS, type PacingOptions, pacingOf } from "./pacing-options.ts";
import {
  group,
  type OptionEntry,
  optional,
  optionEntries,
  readOptions,
  refusal,
  required,
  rule,
  standard,
} from "./rule.ts";
import type { NodeDefinition, NodeKind, NodeSettings, StandardSchema } from "./shape.ts";
import type { Size } from "./size.ts";
import { standardSchema } from "./standard-schema.ts";

/** What happens to an item whose call failed. */
export interface RetryOptions {
  /** All calls, the first included; then the item is dead-lettered. Default 3. */
  readonly attempts?: number;
  readonly backoff?: BackoffOptions;
  /** True for an error that no further attempt would help: the item is dead-lettered at once. */
  readonly unless?: (error: Error) => boolean;
}

/** The wait before the next attempt. */
export interface BackoffOptions {
  /** Before the second attempt. Default `"1s"`. */
  readonly initialMs?: Duration;
  /** Each further wait is this many times longer. Default 2. */
  readonly factor?: number;
  /** No wait is longer. Default `"60s"`, or `initialMs` if that is more. */
  readonly maxMs?: Duration;
  /** `full`: a random part of the wait, so that items don't come back all at once; `none`. Default `full`. */
  readonly jitter?: "full" | "none";
}

export interface ResourceOptions {
  /** What an instance may use before it is ended and replaced. Default `"1GB"`. */
  readonly memory?: Size;
}

export interface BatchOptions<In = unknown> {
  /** The most items of one call. */
  readonly size: number;
  /** A call is made with fewer when this much time has passed since the first. Default `"100ms"`. */
  readonly withinMs?: Duration;
  /** Items of different keys never share a batch. */
  readonly by?: (item: In) => unknown;
}

export interface SourceOptions {
  /** A source runs in exactly one instance. */
  readonly instances?: 1;
  /** How often a source that throws is started again without progress before its run fails. */
  readonly retry?: RetryOptions;
  readonly resources?: ResourceOptions;
  /** Of a push source: how its stream lies in the engine. */
  readonly engine?: StageEngineOptions;
  /** Of a push source: what may wait in it; beyond that a push waits. Default: no limit but the disk. */
  readonly capacity?: CapacityOptions;
}

/** Stands where a batch does not fit the function, so that the compiler says why. */
interface NoBatch extends BatchOptions<never> {
  readonly "a batch function takes an array and gives back an array, a generator or nothing": never;
}

/** Options of a stage or sink that takes items one by one. */
export interface StageOptions<In = unknown, Params = unknown, State = unknown>
  extends PacingOptions<In>,
    LaneOptions<In> {
  readonly batch?: NoBatch;
  /** Calls in flight in one instance: a number, a range in which it finds the best, or `"auto"` (1 to 256). Default 1. */
  readonly concurrency?: number | "auto" | { readonly min?: number; readonly max: number };
  /** Processes: a number, or a range. Default: at least 1 and as many as the run has room for. */
  readonly instances?: number | { readonly min?: number; readonly max?: number };
  readonly retry?: RetryOptions;
  /** The time of one call; past it `ctx.signal` aborts and the item counts as failed. Default `"60s"`. */
  readonly timeoutMs?: Duration;
  /** The time after `timeoutMs` or a drain in which a call may still end by itself. Default `"10s"`. */
  readonly graceMs?: Duration;
  readonly resources?: ResourceOptions;
  /** How its streams lie in the engine: queue type, arguments, replicas … */
  readonly engine?: StageEngineOptions;
  /**
   * Any Standard Schema (zod, valibot, arktype …) of the items that the stage takes. Items that are edited by hand, as
   * dead letters are, must fit it; what flows between stages is not checked.
   */
  readonly schema?: StandardSchema<unknown, In>;
  /** Called before an item is dead-lettered. */
  readonly onFailed?: (item: In, error: Error, ctx: Context<Params, State>) => unknown;
}

/** Options of a stage or sink that takes items in batches. */
export interface BatchStageOptions<In = unknown, Params = unknown, State = unknown>
  extends Omit<StageOptions<In, Params, State>, "batch"> {
  readonly batch: BatchOptions<In>;
}

type Unless = NonNullable<NodeDefinition["unless"]>;

const BACKOFF = group(
  {
    initialMs: standard(duration(0), "1s", "The wait before the second attempt."),
    factor: standard(numberFrom(1), 2, "Each further wait is this many times longer."),
    maxMs: optional(duration(0), 'No wait is longer: "60s", or initialMs if that is more.'),
    jitter: standard(oneOf("full", "none"), "full", "Whether a wait is a random part of its length."),
  },
  (values, place) => {
    const maxMs = values.maxMs ?? Math.max(60_000, values.initialMs);
    if (maxMs < values.initialMs) throw refusal(place, "such that maxMs is at least initialMs", values);
    return { ...values, maxMs };
  },
);

const RETRY = standard(
  group({
    attempts: standard(wholeNumber(1), 3, "All calls, the first included; then the item is dead-lettered."),
    backoff: standard(BACKOFF, {}, "The wait before the next attempt."),
    unless: optional(functionLike<Unless>(), "True for an error that no further attempt would help."),
  }),
  {},
  "What happens to an item whose call failed.",
);

const RESOURCES = standard(
  group({
    memory: standard(size("32MB"), "1GB", "What an instance may use before it is ended and replaced."),
  }),
  {},
  "What an instance may use.",
);

const BATCH = group({
  size: required(wholeNumber(1), "The most items of one call."),
  withinMs: standard(duration(0), "100ms", "A call is made with fewer items when this much time has passed."),
  by: optional(functionLike<NonNullable<NodeDefinition["batchBy"]>>(), "Different keys never share a batch."),
});

const STAGE = group({
  batch: optional(BATCH, "Call the function with up to size items at once."),
  concurrency: standard(concurrency, 1, "Calls in flight in one instance."),
  instances: standard(instances, { min: 1 }, "Processes; without a max as many as the run has room for."),
  retry: RETRY,
  timeoutMs: standard(
    duration(1),
    "60s",
    "The time of one call; past it ctx.signal aborts and the item failed.",
  ),
  graceMs: standard(duration(0), "10s", "The time after timeoutMs or a drain in which a call may still end."),
  resources: RESOURCES,
  engine: ENGINE,
  ...LANE_FIELDS,
  ...PACING_FIELDS,
  schema: optional(standardSchema, "What items that are edited by hand must fit."),
  onFailed: optional(
    functionLike<NonNullable<NodeDefinition["onFailed"]>>(),
    "Called before an item is dead-lettered.",
  ),
});

const SOURCE = group({
  instances: standard(
    rule("1, since a source runs in exactly one instance", (value) =>
      value === 1 ? { min: 1, max: 1 } : undefined,
    ),
    1,
    "A source runs in exactly one instance.",
  ),
  retry: RETRY,
  resources: RESOURCES,
  engine: ENGINE,
  capacity: PACING_FIELDS.capacity,
});

/** What the options of a node come to: the settings, and the functions among the options. */
export type NodeOptions = Pick<
  NodeDefinition,
  "settings" | "batchBy" | "dedupeBy" | "rateBy" | "orderBy" | "priority" | "unless" | "onFailed" | "schema"
>;

/**
 * Reads the options of a node as the user gave them, defaults filled in.
 *
 * @throws DefinitionError MR_BAD_OPTION for an unknown option, a wrong type or a value out of range.
 */
export function readNodeOptions(kind: NodeKind, options: unknown, subject: string): NodeOptions {
  if (kind !== "source") return nodeOptions(readOptions(STAGE, options, subject), subject);
  // What a source cannot be given stands at the defaults of a stage, so that all nodes have the same settings.
  const values = { ...readOptions(STAGE, {}, subject), ...readOptions(SOURCE, options, subject) };
  return nodeOptions(values, subject);
}

function nodeOptions(values: ReturnType<typeof STAGE.read>, subject: string): NodeOptions {
  const { batch, retry, onFailed, schema, resources, concurrency, instances, timeoutMs, graceMs } = values;
  const { pacing, functions } = pacingOf(values);
  const lanes = lanesOf(values, subject);
  const settings: NodeSettings = {
    ...(batch && { batch: { size: batch.size, withinMs: batch.withinMs } }),
    concurrency,
    instances,
    retry: { attempts: retry.attempts, backoff: retry.backoff },
    timeoutMs,
    graceMs,
    memoryBytes: resources.memory,
    ...(pacing && { pacing }),
    ...(lanes.order && { order: lanes.order }),
    ...(schema && { hasSchema: true }),
    ...(values.engine && { engine: values.engine }),
  };
  return {
    settings,
    ...functions,
    ...lanes.functions,
    ...(batch?.by && { batchBy: batch.by }),
    ...(retry.unless && { unless: retry.unless }),
    ...(onFailed && { onFailed }),
    ...(schema && { schema }),
  };
}

/** Every option of a source, or of a stage or sink, for the documentation. */
export function nodeOptionEntries(kind: NodeKind): readonly OptionEntry[] {
  return optionEntries(kind === "source" ? SOURCE : STAGE);
}
