import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { MillraceCommand } from "../support/millrace-command.ts";
import { processesOf } from "../support/run-processes.ts";
import { tempFolder } from "../support/temp-folder.ts";

const module = fileURLToPath(new URL("./fixtures/kill-job.ts", import.meta.url));
/** What a garbage collector leaves lying about, and the frames that a stream keeps for a consumer that is behind. */
const SLACK_MB = 80;

test("no process of a job grows with the number of its tasks", { timeout: 240_000 }, async () => {
  const { folder } = tempFolder();
  const few = await peaks(folder, 1_000_000);
  const many = await peaks(folder, 3_000_000);
  process.stdout.write(`job memory, MB: a million ${JSON.stringify(few)}, three ${JSON.stringify(many)}\n`);
  for (const name of ["split", "process", "combine", "streams", "command"])
    expect(many[name], name).toBeLessThan((few[name] ?? 0) + SLACK_MB);
});

/** The most private memory that each process of a fold over so many tasks had, in megabytes. */
async function peaks(folder: string, tasks: number): Promise<Record<string, number>> {
  const input = join(folder, "input");
  writeFileSync(input, String(tasks));
  const args = ["run", `${module}#fold`, "--input", input, "--data", join(folder, "data"), "--new", "--json"];
  const command = new MillraceCommand(args, { cwd: folder });
  const peak: Record<string, number> = {};
  const look = (name: string, pid: number): void => {
    peak[name] = Math.max(peak[name] ?? 0, privateMb(pid));
  };
  while (!command.hasEnded) {
    look("command", command.pid);
    for (const { kind, stage, pid } of processesOf(command.pid, { source: "split", sink: "combine" }))
      look(kind === "streams" ? "streams" : stage, pid);
    await sleep(50);
  }
  expect((await command.ended).code, command.stderr).toBe(0);
  expect(command.result.result).toMatchObject({ count: tasks, wrong: 0 });
  return peak;
}

function privateMb(pid: number): number {
  try {
    const [, kilobytes = "0"] =
      /Private_Dirty:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1")) ?? [];
    return Math.round(Number(kilobytes) / 1_024);
  } catch {
    return 0;
  }
}
