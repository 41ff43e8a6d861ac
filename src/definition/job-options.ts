import { DefinitionError, describeValue } from "../errors.ts";
import { nodeOptionEntries, readNodeOptions } from "./node-options.ts";
import { flag, functionLike, oneOf } from "./option-rules.ts";
import { type PipelineSettings, pipelineOptionEntries, readPipelineOptions } from "./pipeline-options.ts";
import {
  group,
  type OptionEntry,
  optional,
  optionEntries,
  readOptions,
  rule,
  standard,
  unknownOption,
} from "./rule.ts";
import type { FoldDefinition, Handler, JobDefinition, NodeDefinition } from "./shape.ts";
import { handlerOf } from "./work.ts";

const FOLD = group({
  init: optional(
    rule("the state to begin with, or a function that makes it", (value) => value),
    "The state to begin with, or a function that makes it.",
  ),
  add: optional(functionLike<FoldDefinition["add"]>(), "Takes one result."),
  finish: optional(functionLike<NonNullable<FoldDefinition["finish"]>>(), "Makes the job's result."),
  ordered: standard(flag, true, "Results in the order of the split, or as they come."),
});

const combine = rule<NonNullable<JobDefinition["combine"]>>(
  "a function of all results or { init, add, finish }",
  (value) =>
    typeof value === "function" || (typeof value === "object" && value !== null && "add" in value)
      ? (value as NonNullable<JobDefinition["combine"]>)
      : undefined,
);

const JOB = group({
  input: optional(
    rule("any value", (value) => value),
    "Used when the run is given none.",
  ),
  inputAs: optional(oneOf("lines"), "Split gets the lines of a text instead of the text."),
  split: optional(functionLike<NonNullable<JobDefinition["split"]>>(), "Yields the tasks of an input."),
  combine: optional(combine, "Makes the job's result of the tasks' results."),
  onTaskFailure: standard(
    oneOf("fail", "skip"),
    "fail",
    "What becomes of the job when a task has failed for good.",
  ),
});

/** Of a stage's options those that make no sense for tasks: each is called alone, and equal ones are not the same. */
const NOT_FOR_TASKS = ["batch", "dedupe"];

/** What the options of a job come to. */
export interface JobSettings {
  readonly job: JobDefinition;
  readonly pipeline: PipelineSettings;
  /** split, process, combine. */
  readonly parts: readonly NodeDefinition[];
}

/**
 * Reads the options of a job as the user gave them, defaults filled in.
 *
 * @throws DefinitionError MR_BAD_OPTION for an unknown option, a wrong value, or no `process`.
 */
export function readJobOptions(options: unknown, subject: string): JobSettings {
  if (typeof options !== "object" || options === null) {
    throw bad(
      `${subject}: its options must be an object, got ${describeValue(options)}; give at least { process }`,
    );
  }
  const given = options as Readonly<Record<string, unknown>>;
  const ofStage = namesOf(nodeOptionEntries("stage")).filter((name) => !NOT_FOR_TASKS.includes(name));
  const ofPipeline = namesOf(pipelineOptionEntries());
  const ofJob = namesOf(optionEntries(JOB));
  const known = [...ofJob.slice(0, 3), "process", ...ofJob.slice(3), ...ofStage, ...ofPipeline];
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownOption({ subject, path: unknown }, known);
  const { inputAs, input, split, combine, onTaskFailure } = readOptions(JOB, pick(given, ofJob), subject);
  if (inputAs !== undefined && split === undefined) {
    throw bad(
      `${subject}: inputAs is for a split of its own; leave it out, lines are what the default split gives`,
    );
  }
  const job: JobDefinition = {
    ...(input !== undefined && { input }),
    ...(inputAs && { inputAs }),
    // n.b. methods keep their `this`.
    ...(split && { split: split.bind(given) }),
    ...(combine !== undefined && { combine: readCombine(combine, given, subject) }),
    onTaskFailure,
  };
  return {
    job,
    pipeline: readPipelineOptions(pick(given, ofPipeline), subject),
    parts: partsOf(readProcess(given, subject), pick(given, ofStage), subject),
  };
}

function readCombine(
  given: NonNullable<JobDefinition["combine"]>,
  options: object,
  subject: string,
): NonNullable<JobDefinition["combine"]> {
  if (typeof given === "function") return given.bind(options);
  const { init, add, finish, ordered } = readOptions(FOLD, given, `combine of ${subject}`);
  if (add === undefined) throw bad(`combine of ${subject}: there is no add; give add: (acc, result) => acc`);
  return { init, add: add.bind(given), ...(finish && { finish: finish.bind(given) }), ordered };
}

function readProcess(given: Readonly<Record<string, unknown>>, subject: string): Handler {
  const { process } = given;
  if (process === undefined) {
    throw bad(
      `${subject}: there is no process; give process: (task) => result, the function that works on one task`,
    );
  }
  if (typeof process === "function") return { run: process.bind(given) as Handler["run"] };
  if (typeof process !== "object" || process === null || !("run" in process)) {
    throw bad(
      `${subject}: process must be a function or { setup, run, teardown }, got ${describeValue(process)}; give the function itself`,
    );
  }
  return handlerOf(process, `process of ${subject}`);
}

function partsOf(
  handler: Handler,
  stage: Readonly<Record<string, unknown>>,
  subject: string,
): NodeDefinition[] {
  const process = readNodeOptions("stage", stage, subject);
  const { timeoutMs, graceMs } = process.settings;
  const memory = "resources" in stage ? { resources: stage.resources } : {};
  // What runs in their place is made by the instance, out of the job.
  const inside: Handler = {
    run: () => {
      throw new DefinitionError("MR_INTERNAL", `${subject}: this part of a job is not called like a stage`);
    },
  };
  return [
    {
      name: "split",
      kind: "source",
      part: "split",
      handler: inside,
      ...readNodeOptions("source", memory, subject),
    },
    { name: "process", kind: "stage", part: "process", handler, ...process },
    {
      name: "combine",
      kind: "sink",
      part: "combine",
      handler: inside,
      ...readNodeOptions("sink", { instances: 1, timeoutMs, graceMs, ...memory }, subject),
    },
  ];
}

function namesOf(entries: readonly OptionEntry[]): string[] {
  return entries.map(({ path }) => path).filter((path) => !path.includes("."));
}

function pick(given: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter((name) => name in given).map((name) => [name, given[name]]));
}

/** Every option of a job beyond those of a stage and of a pipeline, for the documentation. */
export function jobOptionEntries(): readonly OptionEntry[] {
  return optionEntries(JOB);
}

function bad(message: string): DefinitionError {
  return new DefinitionError("MR_BAD_OPTION", message);
}
