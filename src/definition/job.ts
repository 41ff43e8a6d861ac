import type { Context } from "./context.ts";
import { type JobSettings, readJobOptions } from "./job-options.ts";
import { checkName } from "./name.ts";
import type { StageOptions } from "./node-options.ts";
import type { NoParams, PipelineOptions } from "./pipeline-options.ts";
import { DEFINITION, type Definition } from "./shape.ts";
import type { Task } from "./task.ts";
import type { ItemWork } from "./work.ts";

/** To the compiler alone: what a job takes and gives. */
declare const TYPES: unique symbol;

/** Splits an input into tasks, works on them anywhere, combines their results. */
export interface Job<Input = unknown, Output = unknown, Params extends object = NoParams> {
  readonly name: string;
  readonly [TYPES]: { input(input: Input): void; readonly output: Output; params(params: Params): void };
  [DEFINITION](): Definition;
}

/** What `split` gets beside the input. */
export type SplitContext<Params = unknown> = Pick<
  Context<Params, undefined>,
  "signal" | "log" | "params" | "pipeline" | "stage" | "run" | "progress" | "onDrain"
>;

/** What `combine` gets beside the results. */
export type CombineContext<Params = unknown> = Pick<
  Context<Params, undefined>,
  "signal" | "log" | "params" | "pipeline" | "stage" | "run"
>;

/** Takes results one by one, so that they need not all be held at once. */
export interface Fold<Result, Acc, Output, Params = unknown> {
  /**
   * What to begin with, or a function that makes it. The state is plain data: it is stored now and then, and comes
   * back as items do.
   */
  readonly init: Acc | (() => Acc);
  /**
   * Gives the next state; nothing when it has changed `acc` itself.
   *
   * @param index the task's place in the split.
   */
  readonly add: (
    acc: Acc,
    result: Result,
    index: number,
    ctx: CombineContext<Params>,
    // biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement returns void.
  ) => Acc | undefined | void | PromiseLike<Acc | undefined | void>;
  /** Makes the job's result of the last state. */
  readonly finish: (acc: Acc, ctx: CombineContext<Params>) => Output | PromiseLike<Output>;
  /** In the order of the split (default), or as the results come. */
  readonly ordered?: boolean;
}

/** A function of all results, in the order of the split, or a {@link Fold}. */
export type Combine<Result, Acc, Output, Params = unknown> =
  | ((results: Result[], ctx: CombineContext<Params>) => Output | PromiseLike<Output>)
  | Fold<Result, Acc, Output, Params>;

type Tasks<T> = Iterable<T> | AsyncIterable<T>;

/** What stands for a task once `task()` is taken off. */
export type TaskData<Yielded> = Yielded extends Task<infer T> ? T : Yielded;

interface JobCommon<TaskType, Returned, Setup, Acc, Output, Params extends object>
  extends Omit<StageOptions<NoInfer<TaskType>, Params, NoInfer<Awaited<Setup>>>, "batch">,
    PipelineOptions<Params> {
  /** Works on one task; runs anywhere, in several processes at a time. What it returns is the task's result. */
  readonly process: ItemWork<NoInfer<TaskType>, Returned, Params, Setup>;
  /** Makes the job's result of the tasks' results. Default: the list of them, in the order of the split. */
  readonly combine?: Combine<Awaited<NoInfer<Returned>>, Acc, Output, Params>;
  /**
   * What becomes of the job when a task has failed for good. `fail` (default): the job fails at once, the task stays;
   * the same command goes on with what is left. `skip`: the task becomes a dead letter, and the result lacks it.
   */
  readonly onTaskFailure?: "fail" | "skip";
}

/** A job with a split of its own. */
export interface JobOptions<Input, Yielded, Returned, Setup, Acc, Output, Params extends object>
  extends JobCommon<TaskData<Yielded>, Returned, Setup, Acc, Output, Params> {
  /** Used when the run is given none. */
  readonly input?: Input;
  readonly inputAs?: undefined;
  /**
   * Yields the tasks, lazily. It must yield the same ones every time: a restart calls it again and skips what is
   * stored.
   */
  readonly split: (input: Input, ctx: SplitContext<Params>) => Tasks<Yielded> | PromiseLike<Tasks<Yielded>>;
}

/** A job whose split takes its input line by line. */
export interface LinesJobOptions<Yielded, Returned, Setup, Acc, Output, Params extends object>
  extends JobCommon<TaskData<Yielded>, Returned, Setup, Acc, Output, Params> {
  readonly input?: Tasks<string>;
  /** The input is a text - of a file, say - and split gets its lines, read as they are taken. */
  readonly inputAs: "lines";
  readonly split: (
    input: AsyncIterable<string>,
    ctx: SplitContext<Params>,
  ) => Tasks<Yielded> | PromiseLike<Tasks<Yielded>>;
}

/** A job whose input's elements are its tasks: those of any iterable, the lines of a text. */
export interface PlainJobOptions<TaskType, Returned, Setup, Acc, Output, Params extends object>
  extends Omit<JobCommon<TaskType, Returned, Setup, Acc, Output, Params>, "process"> {
  readonly input?: Tasks<TaskType>;
  readonly inputAs?: undefined;
  readonly split?: undefined;
  readonly process: ItemWork<TaskType, Returned, Params, Setup>;
}

/**
 * Defines a job: `split` makes tasks of the input, `process` works on each, `combine` makes one result of theirs.
 * Only `process` is required. The options of a stage are those of `process`.
 *
 * @param name letters, digits, "-", "_" and "."; at most 64, starting with a letter or digit.
 * @throws DefinitionError MR_BAD_NAME, MR_BAD_OPTION.
 */
export function job<
  // n.b. a process that says its type is compared before a split that leaves one to be inferred has been looked at.
  Yielded = never,
  Returned = never,
  Setup = undefined,
  Acc = unknown,
  Output = Awaited<Returned>[],
  Params extends object = NoParams,
>(
  name: string,
  options: LinesJobOptions<Yielded, Returned, Setup, Acc, Output, Params>,
): Job<Tasks<string>, Output, Params>;
export function job<
  Input,
  Yielded = never,
  Returned = never,
  Setup = undefined,
  Acc = unknown,
  Output = Awaited<Returned>[],
  Params extends object = NoParams,
>(
  name: string,
  options: JobOptions<Input, Yielded, Returned, Setup, Acc, Output, Params>,
): Job<Input, Output, Params>;
export function job<
  TaskType,
  Returned = never,
  Setup = undefined,
  Acc = unknown,
  Output = Awaited<Returned>[],
  Params extends object = NoParams,
>(
  name: string,
  options: PlainJobOptions<TaskType, Returned, Setup, Acc, Output, Params>,
): Job<Tasks<TaskType>, Output, Params>;
export function job(name: string, options: unknown): Job {
  checkName(name, "job");
  const definition = definitionOfJob(name, readJobOptions(options, `job ${name}`));
  // The types are there for the compiler alone.
  return { name, [DEFINITION]: () => definition } as Job;
}

/** The bounded pipeline that a job is. What moves along its edges is for the instances of its parts to say. */
function definitionOfJob(name: string, { job, pipeline, parts }: JobSettings): Definition {
  const edge = (from: string, to: string) => ({ from, to, conditional: false });
  return {
    name,
    job,
    nodes: new Map(parts.map((part) => [part.name, part])),
    // n.b. in this order: tasks go along the first edge of split, the word that there are no more along the second.
    edges: [edge("split", "process"), edge("split", "combine"), edge("process", "combine")],
    ...pipeline,
  };
}
