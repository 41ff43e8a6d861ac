import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { findRun } from "../run/find-run.ts";
import { type ListedRun, listRuns, type StageReport } from "../run/list-runs.ts";
import { dataOf } from "./data-flag.ts";
import { troubleText } from "./display/trouble-text.ts";
import { EXIT } from "./exit-code.ts";
import { queryOf, type RunTargetFlags } from "./run-target.ts";
import { grouped, print, tell } from "./terminal.ts";
import { textTable } from "./text-table.ts";

interface StatusFlags extends RunTargetFlags {
  readonly json?: boolean;
}

/** Adds `ps` and `status`. */
export function addStatusCommands(program: Command, env: Env, onExit: (code: number) => void): void {
  program
    .command("ps")
    .description(
      "list all runs of a data directory: whether somebody is at work on them, since when, how far",
    )
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)")
    .option("--json", "print one JSON array")
    .action(async (flags: StatusFlags) => onExit(await ps(env, flags)));
  program
    .command("status")
    .description("show what a run does, stage by stage; without a pipeline all runs that are at work")
    .argument("[PIPELINE]", "of which pipeline")
    .option("--run <RUN>", "of that run (default: the pipeline's newest)")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)")
    .option("--json", "print one JSON array of runs")
    .action(async (pipeline: string | undefined, flags: StatusFlags) =>
      onExit(await status(env, pipeline, flags)),
    );
}

async function ps(env: Env, flags: StatusFlags): Promise<number> {
  const runs = await listRuns(env, { data: dataOf(flags.data) });
  if (flags.json === true) {
    await print(`${JSON.stringify(runs, undefined, 2)}\n`);
    return EXIT.done;
  }
  if (runs.length === 0) tell(`there are no runs in ${dataOf(flags.data)}`);
  else {
    const rows = runs.map((run) => [
      run.pipeline,
      run.run,
      run.status,
      run.pid === null ? "-" : String(run.pid),
      timeOf(run.startedAt),
      run.endedAt === null ? "-" : timeOf(run.endedAt),
      ...totals(run),
    ]);
    const head = ["pipeline", "run", "status", "pid", "started", "ended", "emitted", "done", "dead"];
    await print(`${textTable([head, ...rows], 6).join("\n")}\n`);
  }
  return EXIT.done;
}

/** Given by sources, settled by sinks, dead anywhere. */
function totals({ stages }: ListedRun): string[] {
  const sum = (kind: StageReport["kind"] | undefined, count: "emitted" | "completed" | "dead"): string => {
    const known = stages.filter((stage) => kind === undefined || stage.kind === kind);
    if (known.some(({ counts }) => counts === undefined)) return "?";
    return grouped(known.reduce((total, { counts }) => total + (counts?.[count] ?? 0), 0));
  };
  return [sum("source", "emitted"), sum("sink", "completed"), sum(undefined, "dead")];
}

async function status(env: Env, pipeline: string | undefined, flags: StatusFlags): Promise<number> {
  const data = dataOf(flags.data);
  let runs: ListedRun[];
  if (pipeline === undefined) {
    if (flags.run !== undefined) throw new UsageError("MR_USAGE", `--run ${flags.run}: name its pipeline`);
    runs = (await listRuns(env, { data })).filter(({ pid }) => pid !== null);
    if (runs.length === 0) tell(`nobody is at work on a run in ${data}; see millrace ps`);
  } else {
    const { manifest } = await findRun(env, queryOf(pipeline, flags));
    runs = await listRuns(env, { data, pipeline, run: manifest.run });
  }
  if (flags.json === true) await print(`${JSON.stringify(runs, undefined, 2)}\n`);
  else for (const run of runs) await print(`${describe(run)}\n`);
  return EXIT.done;
}

function describe(run: ListedRun): string {
  const owner = run.pid === null ? "" : `, process ${run.pid}`;
  const low = run.disk === undefined ? "" : ", disk low";
  const trouble = run.trouble === undefined ? "" : `, ${troubleText(run.trouble)}`;
  const ended = run.endedAt === null ? "" : `, ended ${timeOf(run.endedAt)}`;
  const head = `${run.pipeline} ${run.status}${low}${trouble} (run ${run.run}${owner}, started ${timeOf(run.startedAt)}${ended})`;
  const rows = run.stages.map((stage) => [
    stage.stage,
    stage.hold ?? (stage.instances === undefined ? "-" : String(stage.instances)),
    ...[stage.waiting, stage.delayed, stage.suspects].map(numberOf),
    ...(["completed", "filtered", "dead", "emitted"] as const).map((count) =>
      numberOf(stage.counts?.[count]),
    ),
  ]);
  const titles = [
    "stage",
    "instances",
    "waiting",
    "delayed",
    "suspects",
    "completed",
    "filtered",
    "dead",
    "emitted",
  ];
  return [head, ...textTable([titles, ...rows], 1)].join("\n");
}

function numberOf(value: number | undefined): string {
  return value === undefined ? "-" : grouped(value);
}

/** Local time, to the second. */
function timeOf(at: number): string {
  const local = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}
