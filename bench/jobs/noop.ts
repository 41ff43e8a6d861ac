import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "../row.ts";
import { inFolder } from "../rows/in-folder.ts";
import { millraceRun } from "../rows/millrace-run.ts";

export interface TaskRates {
  /** Tasks a second from the start of the command to its exit. */
  readonly whole: number;
  /** From split's first task to combine's finish: starting and ending processes is not in it. */
  readonly work: number;
}

/** A job of tiny tasks by `millrace run`, no option set; once for all rows that compare with it. */
export function ourTasks(bench: Bench): Promise<TaskRates> {
  const tasks = bench.quick ? 200_000 : 1_000_000;
  return bench.once("our tasks", () =>
    inFolder(bench.folder, async (folder) => {
      const out = join(folder, "began");
      const began = performance.now();
      const { result } = await millraceRun(
        bench.repository,
        "bench/jobs/noop-job.ts",
        { items: tasks, out },
        join(folder, "data"),
      );
      const wholeMs = performance.now() - began;
      const { results, lastAt } = checkedSum(result, tasks);
      const workMs = lastAt - Number(readFileSync(out, "utf8"));
      return { whole: (results / wholeMs) * 1_000, work: (results / workMs) * 1_000 };
    }),
  );
}

/** The job's result. Throws when a task's result is missing. */
export function checkedSum(result: unknown, tasks: number): { results: number; sum: number; lastAt: number } {
  const given = result as { results: number; sum: number; lastAt: number };
  const { results, sum } = given;
  if (results === tasks && sum === (tasks * (tasks - 1)) / 2) return given;
  throw new Error(`millrace: ${results} results of ${tasks} tasks, their sum is ${sum}`);
}
