import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RunResult } from "../../src/definition/run-result.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url));

export interface CliOptions {
  readonly cwd: string;
  /** The command and all it started are killed, and the test fails, when it has not ended by then. Default 60 s. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  /** stdout as JSON; throws, with what was printed, when it is none. */
  readonly json: RunResult;
}

/** A command that is still at work. */
export interface RunningCli {
  readonly pid: number;
  /** Rejects when it takes too long, or when a process that it started outlives it. */
  readonly ended: Promise<CliResult>;
  signal(name: NodeJS.Signals): void;
  /** To it and all it started, as a terminal does on Ctrl-C. */
  signalAll(name: NodeJS.Signals): void;
  /** Resolves when what it has printed on stderr, and whatever else is looked at, satisfies; rejects when it ends before. */
  until(isThere: (stderr: string) => boolean): Promise<void>;
}

/** Runs `millrace` with these arguments to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended;
}

/** Starts `millrace` with these arguments. However it ends, none of its processes is left. */
export function startCli(args: readonly string[], options: CliOptions): RunningCli {
  // Inherited by all that it starts, also by what loses its parent: that is how a leftover is recognised.
  const mark = `MILLRACE_TEST_RUN=${randomBytes(8).toString("hex")}`;
  const [name, value] = mark.split("=") as [string, string];
  const startedAt = performance.now();
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...args], {
    cwd: options.cwd,
    env: { ...process.env, NODE_OPTIONS: "", ...options.env, [name]: value },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own.
    detached: true,
  });
  let stdout = "";
  let stderr = "";
  let isOver = false;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const said = (): string =>
    `millrace ${args.join(" ")}\n--- stdout\n${tail(stdout)}\n--- stderr\n${tail(stderr)}`;

  const ended = new Promise<CliResult>((resolve, reject) => {
    const limitMs = options.timeoutMs ?? 60_000;
    let isLate = false;
    const limit = setTimeout(() => {
      isLate = true;
      killMarked(mark);
    }, limitMs);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      isOver = true;
      clearTimeout(limit);
      const durationMs = performance.now() - startedAt;
      void leftovers(mark).then((left) => {
        if (isLate) reject(new Error(`not over after ${limitMs} ms: ${said()}`));
        else if (left.length > 0)
          reject(new Error(`it left processes behind: ${left.join("; ")}\n${said()}`));
        else {
          resolve({
            code,
            signal,
            stdout,
            stderr,
            durationMs,
            get json() {
              try {
                return JSON.parse(stdout) as RunResult;
              } catch {
                throw new Error(`stdout is not one JSON document: ${said()}`);
              }
            },
          });
        }
      }, reject);
    });
  });
  // Whoever waits for something else first must not be told of an unhandled rejection meanwhile.
  ended.catch(() => undefined);
  return {
    pid: child.pid as number,
    ended,
    signal: (signal) => void child.kill(signal),
    signalAll: (signal) => void process.kill(-(child.pid as number), signal),
    async until(isThere) {
      while (!isThere(stderr)) {
        if (isOver) throw new Error(`it ended before that: ${said()}`);
        await sleep(5);
      }
    },
  };
}

/** Processes that carry the mark, as text; those that are still there after a second are killed. */
async function leftovers(mark: string): Promise<string[]> {
  for (const deadline = performance.now() + 1_000; performance.now() < deadline; await sleep(20)) {
    if (marked(mark).length === 0) return [];
  }
  const left = marked(mark).map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
  killMarked(mark);
  return left;
}

function killMarked(mark: string): void {
  for (const pid of marked(mark)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

function marked(mark: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && read(`/proc/${pid}/environ`).split("\0").includes(mark));
}

function read(path: string): string {
  try {
    return readFileSync(join(path), "utf8");
  } catch {
    return "";
  }
}

function tail(text: string): string {
  return text.length > 6_000 ? `…${text.slice(-6_000)}` : text;
}
