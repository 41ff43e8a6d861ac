/**
 * What a pipeline is, twice over:
 * - `Definition`: in the process that imported the user's module, functions and all;
 * - `PipelineShape`: the same without functions, as agent, coordinator and command line know it. It crosses
 *   processes as JSON.
 */

import type { EngineOptions } from "./engine-options.ts";
import type { Pacing } from "./pacing.ts";
import type { Priority } from "./priority.ts";

export type NodeKind = "source" | "stage" | "sink";

export interface Backoff {
  /** Delay before the second attempt, milliseconds. */
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** `full`: a random part of the delay; `none`: the whole delay. */
  readonly jitter: "full" | "none";
}

export interface RetryPolicy {
  /** All calls, the first included. */
  readonly attempts: number;
  readonly backoff: Backoff;
}

export interface BatchPolicy {
  readonly size: number;
  readonly withinMs: number;
}

/** How a stage with `orderBy` keeps the order of its keys. */
export interface OrderPolicy {
  readonly partitions: number;
  readonly onKeyFailure: "hold" | "pass";
}

/** The settings of a node after defaults; functions are not among them. */
export interface NodeSettings {
  readonly batch?: BatchPolicy;
  /** Calls in flight in one instance; between the two the instance finds out. */
  readonly concurrency: { readonly min: number; readonly max: number };
  readonly instances: { readonly min: number; readonly max: number };
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly graceMs: number;
  /** Bytes an instance may use before it is ended. */
  readonly memoryBytes: number;
  readonly pacing?: Pacing;
  /** Present when the node has an `orderBy`. */
  readonly order?: OrderPolicy;
  /** Items that are edited by hand are checked. */
  readonly hasSchema?: boolean;
  /** How its streams lie in an engine that leaves a choice. */
  readonly engine?: EngineOptions;
}

/** What a node of a job does: the run treats each in a way of its own. */
export type JobPart = "split" | "process" | "combine";

export interface NodeShape {
  readonly name: string;
  readonly kind: NodeKind;
  /** Set in jobs alone. */
  readonly part?: JobPart;
  readonly settings: NodeSettings;
  /** Of a source that is not iterated over: its items come from outside, through a stream of its own. */
  readonly input?: "push";
}

/** Whether a node takes items from a stream of its own: all but the sources that are iterated over. */
export function hasStream(node: NodeShape): boolean {
  return node.kind !== "source" || node.input === "push";
}

export interface EdgeShape {
  readonly from: string;
  readonly to: string;
  readonly conditional: boolean;
}

export interface PipelineShape {
  readonly name: string;
  /** `job` for what `job()` made: it takes an input and has a result. */
  readonly kind?: "job";
  /** Jobs that have neither an input of their own nor a split that might do without one. */
  readonly needsInput?: boolean;
  readonly nodes: readonly NodeShape[];
  readonly edges: readonly EdgeShape[];
  readonly durability: "disk" | "process";
}

/** The number of partitions of the stages that keep order. */
export function partitionsByStage({ nodes }: PipelineShape): Record<string, number> {
  const partitions: Record<string, number> = Object.create(null);
  for (const { name, settings } of nodes)
    if (settings.order !== undefined) partitions[name] = settings.order.partitions;
  return partitions;
}

/** The user's functions of a node, as given. `run` is untyped here: the stage loop checks what it returns. */
export interface Handler {
  readonly setup?: (ctx: never) => unknown;
  readonly run: (input: never, ctx: never) => unknown;
  readonly teardown?: (state: never) => unknown;
}

export interface NodeDefinition extends NodeShape {
  readonly handler: Handler;
  readonly batchBy?: (item: never) => unknown;
  readonly dedupeBy?: (item: never) => unknown;
  readonly rateBy?: (item: never) => unknown;
  readonly orderBy?: (item: never) => unknown;
  readonly priority?: Priority | ((item: never) => unknown);
  readonly unless?: (error: Error) => boolean;
  readonly schema?: StandardSchema;
  readonly onFailed?: (item: never, error: Error, ctx: never) => unknown;
}

export interface EdgeDefinition extends EdgeShape {
  readonly when?: (item: never) => unknown;
}

/** The Standard Schema interface, version 1 (https://standardschema.dev), as far as millrace uses it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: ReadonlyArray<{
        readonly message: string;
        readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
      }>;
    };

/** Folds results one by one. */
export interface FoldDefinition {
  /** The state to begin with, or a function that makes it. */
  readonly init?: unknown;
  readonly add: (acc: never, result: never, index: number, ctx: never) => unknown;
  readonly finish?: (acc: never, ctx: never) => unknown;
  readonly ordered: boolean;
}

/** What a job has beyond the pipeline that it is: the user's functions as given. */
export interface JobDefinition {
  /** Where the run was given none. */
  readonly input?: unknown;
  readonly inputAs?: "lines";
  /** Absent: the input's elements are the tasks. */
  readonly split?: (input: never, ctx: never) => unknown;
  /** Absent: the list of results is the result. */
  readonly combine?: FoldDefinition | ((results: never, ctx: never) => unknown);
  readonly onTaskFailure: "fail" | "skip";
}

export interface Definition {
  readonly name: string;
  /** Set for what `job()` made. */
  readonly job?: JobDefinition;
  readonly nodes: ReadonlyMap<string, NodeDefinition>;
  readonly edges: readonly EdgeDefinition[];
  readonly durability: "disk" | "process";
  readonly params?: StandardSchema;
  /** `import.meta.url` of the file that exports the pipeline, when it said so. */
  readonly module?: string;
}

/** Marks a pipeline across copies of the package: `pipeline[DEFINITION]()` gives its definition. */
export const DEFINITION: unique symbol = Symbol.for("millrace.definition") as never;
