import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import type { RunQuery } from "../run/find-run.ts";
import { dataOf } from "./data-flag.ts";

/** The flags of all commands that are about a run at work. */
export interface RunTargetFlags {
  readonly run?: string;
  readonly data?: string;
}

export function runTargetOptions(command: Command): Command {
  return command
    .option("--run <RUN>", "of that run (default: the pipeline's newest that is at work)")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)");
}

/** Throws UsageError for what is neither PIPELINE nor PIPELINE/STAGE. */
export function targetOf(target: string): { readonly pipeline: string; readonly stage?: string } {
  const [, pipeline, stage] = /^([A-Za-z0-9][\w.-]*)(?:\/([A-Za-z0-9][\w.-]*))?$/.exec(target) ?? [];
  if (pipeline === undefined)
    throw new UsageError("MR_USAGE", `${JSON.stringify(target)}: write PIPELINE or PIPELINE/STAGE`);
  return { pipeline, ...(stage === undefined ? {} : { stage }) };
}

/** As {@link targetOf}, where a stage must be named. */
export function stageTargetOf(target: string): { readonly pipeline: string; readonly stage: string } {
  const { pipeline, stage } = targetOf(target);
  if (stage === undefined) throw new UsageError("MR_USAGE", `${target}: write ${pipeline}/STAGE`);
  return { pipeline, stage };
}

export function queryOf(pipeline: string, flags: RunTargetFlags): RunQuery {
  const { run } = flags;
  return { data: dataOf(flags.data), pipeline, ...(run === undefined ? {} : { run }) };
}
