import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

test("few huge tasks spread over the instances: the hint of their cost keeps them out of one frame", async () => {
  const project = cliProject({
    "job.ts": `
      import { setTimeout } from "node:timers/promises";
      import { job, task } from "millrace";
      export default job("huge", {
        *split() { for (let i = 0; i < 12; i++) yield task(i, { cost: 1_000 }); },
        process: async (i: number) => {
          await setTimeout(600);
          return [i, process.pid];
        },
      });`,
  });
  const done = await project.run("job.ts", ["--instances", "process=3"]);

  expect(done.code).toBe(0);
  const results = JSON.parse(done.stdout).result as [number, number][];
  expect(results.map(([i]) => i)).toEqual(Array.from({ length: 12 }, (_, i) => i));
  const tasksOf = new Map<number, number>();
  for (const [, pid] of results) tasksOf.set(pid, (tasksOf.get(pid) ?? 0) + 1);
  expect(tasksOf.size).toBe(3);
  // A fair share is 4; an instance that began late may have missed one or two.
  for (const [pid, tasks] of tasksOf) expect(tasks, `tasks of process ${pid}`).toBeLessThanOrEqual(6);
}, 60_000);
