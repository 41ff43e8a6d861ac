import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RunResult } from "../../src/definition/run-result.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { MillraceCommand } from "./millrace-command.ts";
import { descendants } from "./process-tree.ts";
import { isAlive, processesOf, processesWith } from "./run-processes.ts";
import { monotonicMs } from "./sink-record.ts";

const module = fileURLToPath(new URL("../e2e/fixtures/kill-job.ts", import.meta.url));

export const JOB_VICTIMS = ["split", "process", "combine", "streams", "run"] as const;
export type JobVictim = (typeof JOB_VICTIMS)[number];

export interface JobStorm {
  readonly exportName: "fold" | "unordered" | "list";
  readonly tasks: number;
  readonly seed: number;
  /** In this order, at random moments. */
  readonly kills: readonly JobVictim[];
  /** The longest time between two kills. */
  readonly everyMs: number;
}

export interface JobStormReport {
  readonly result: RunResult | undefined;
  readonly code: number | null;
  /** Those that hit something. */
  readonly landed: readonly JobVictim[];
  readonly stderr: string;
}

/** A victim that is not there is waited for. */
const FIND_MS = 2_000;

/** Runs a job whose processes are killed, one after the other; when all of it was killed the same command goes on. */
export async function jobStorm({
  exportName,
  tasks,
  seed,
  kills,
  everyMs,
}: JobStorm): Promise<JobStormReport> {
  const random = new SeededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "mj-"));
  const marker = `JOB_STORM=${folder}`;
  writeFileSync(join(folder, "input"), String(tasks));
  const launch = (): MillraceCommand =>
    new MillraceCommand(
      [
        "run",
        `${module}#${exportName}`,
        "--input",
        join(folder, "input"),
        "--json",
        "--instances",
        "process=2",
      ].concat(["--data", join(folder, "data")]),
      { cwd: folder, env: { JOB_STORM: folder, TMPDIR: folder } },
    );
  let command = launch();
  let stderr = "";
  const landed: JobVictim[] = [];
  try {
    for (const kind of kills) {
      await sleep(random.between(20, everyMs));
      // One that was killed a moment ago is being replaced.
      let pid: number | undefined;
      const until = monotonicMs() + FIND_MS;
      while (pid === undefined && !command.hasEnded && monotonicMs() < until) {
        // n.b. a streams process that dies before the run has begun ends the command.
        const hasBegun = command.stderr.includes("(run ");
        pid = kind === "run" ? command.pid : hasBegun ? victimOf(command.pid, kind, random) : undefined;
        if (pid === undefined) await sleep(3);
      }
      if (command.hasEnded) break;
      if (pid === undefined || !isAlive(pid)) continue;
      const under = descendants(command.pid);
      process.kill(pid, "SIGKILL");
      landed.push(kind);
      if (kind !== "run") continue;
      await command.ended;
      // What it had under it ends by itself.
      while (under.some(isAlive)) await sleep(5);
      stderr += command.stderr;
      command = launch();
    }
    const { code } = await command.ended;
    stderr += command.stderr;
    return { result: command.stdout === "" ? undefined : command.result, code, landed, stderr };
  } finally {
    for (const { pid } of processesWith(marker)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

function victimOf(cli: number, kind: Exclude<JobVictim, "run">, random: SeededRandom): number | undefined {
  const found = processesOf(cli, { source: "split", sink: "combine" }).filter((process) =>
    kind === "streams" ? process.kind === "streams" : process.stage === kind,
  );
  return found.length === 0 ? undefined : random.pick(found).pid;
}
