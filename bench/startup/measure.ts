import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { commandLine, descendants } from "../../test/support/process-tree.ts";
import { spread } from "../spread.ts";

const IDLE_MS = 3_000;

/** Prints both figures; the exit code is 1 when one misses its target. */
export async function main(argv: readonly string[], repository: string): Promise<number> {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: [...argv],
    options: { runs: text("10"), "startup-ms": text("1500"), "idle-mb": text("20") },
  });
  const cache = join(repository, "node_modules/.cache/millrace-bench/data");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "startup-"));
  try {
    const startup = await measureStartup(repository, folder, Number(values.runs));
    const { min, median, max } = spread(startup);
    const ms = (value: number) => `${Math.round(value)} ms`;
    console.log(`millrace run of three stages and three items, start to exit, ${startup.length} runs:`);
    console.log(
      `  min ${ms(min)}, median ${ms(median)}, max ${ms(max)} (target: median ≤ ${values["startup-ms"]} ms)`,
    );

    const idle = await measureIdle(repository, folder);
    console.log(`private memory of an idle instance after ${IDLE_MS / 1_000} s:`);
    for (const [what, bytes] of idle) console.log(`  ${(bytes / 1e6).toFixed(1)} MB  ${what}`);
    const largest = Math.max(...idle.filter(([what]) => isInstance(what)).map(([, bytes]) => bytes));
    console.log(`  largest instance ${(largest / 1e6).toFixed(1)} MB (target ≤ ${values["idle-mb"]} MB)`);
    return median <= Number(values["startup-ms"]) && largest <= Number(values["idle-mb"]) * 1e6 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Wall milliseconds of each run. */
async function measureStartup(repository: string, folder: string, runs: number): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    const code = await ended(start(repository, "trivial", join(folder, `trivial-${run}`)));
    times.push(performance.now() - began);
    if (code !== 0) throw new Error(`millrace run bench/startup/trivial.ts: exit ${code}`);
  }
  return times;
}

/** Private bytes of every process of a run that waits, by command line. */
export async function measureIdle(repository: string, folder: string): Promise<Array<[string, number]>> {
  const run = start(repository, "waiting", join(folder, "waiting"));
  const end = ended(run);
  const killWithUs = () => run.kill("SIGTERM");
  process.once("exit", killWithUs);
  const pids = () => [run.pid as number, ...descendants(run.pid as number)];
  try {
    const deadline = performance.now() + 20_000;
    while (pids().filter((pid) => isInstance(commandLine(pid))).length < 3) {
      if (run.exitCode !== null || performance.now() > deadline)
        throw new Error("three instances did not start in 20 s");
      await sleep(50);
    }
    await sleep(IDLE_MS);
    return pids().map((pid) => [commandLine(pid), privateBytes(pid)]);
  } finally {
    run.kill("SIGTERM");
    await end;
    process.off("exit", killWithUs);
  }
}

function isInstance(command: string): boolean {
  return command.includes("instance/main.js");
}

function start(repository: string, name: string, data: string): ChildProcess {
  const module = join(repository, `bench/startup/${name}.ts`);
  return spawn(
    process.execPath,
    [join(repository, "bin/millrace.js"), "run", module, "--data", data, "--json", "--quiet"],
    {
      cwd: repository,
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
}

/** What only this process has in memory. Node's own code and other file pages that are shared do not count. */
function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const lines = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)];
  return lines.reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1_024, 0);
}
