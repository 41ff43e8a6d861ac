import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunResult } from "../../src/definition/run-result.ts";

const program = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url));

/** One `millrace …` in a process of its own, its output kept. */
export class MillraceCommand {
  readonly child: ChildProcess;
  /** Resolves when it has ended and its output has been read. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";
  hasEnded = false;

  constructor(
    args: readonly string[],
    options: {
      readonly cwd: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly detached?: boolean;
    },
  ) {
    const { cwd, env, detached = false } = options;
    this.child = spawn(process.execPath, [program, ...args], {
      cwd,
      detached,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.child.once("exit", () => {
        this.hasEnded = true;
      });
      this.child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** What a run with `--json` printed. */
  get result(): RunResult {
    return JSON.parse(this.stdout) as RunResult;
  }
}
