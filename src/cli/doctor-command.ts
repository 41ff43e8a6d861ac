import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { dataOf } from "./data-flag.ts";
import type { Check } from "./doctor-check.ts";
import { checkData } from "./doctor-data.ts";
import { checkMachine } from "./doctor-machine.ts";
import { checkStreams } from "./doctor-streams.ts";
import { EXIT } from "./exit-code.ts";
import { print, printable } from "./terminal.ts";

interface DoctorFlags {
  readonly data?: string;
  readonly streams?: string;
  readonly json?: boolean;
}

/** Adds `millrace doctor`; `onExit` is told its exit code. */
export function addDoctorCommand(program: Command, env: Env, onExit: (code: number) => void): void {
  program
    .command("doctor")
    .description("what is missing on this machine, and how to get it; leaves nothing behind")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)")
    .option(
      "--streams <URL>",
      "try this engine: who it is and what it promises (default file:, or MILLRACE_STREAMS)",
    )
    .option("--json", "print one JSON document")
    .action(async (flags: DoctorFlags) => onExit(await doctor(env, flags)));
}

/**
 * Exit code 0 unless a check fails; warnings are fine. Where the engine alone is not well, that of its error: 6 for one
 * that cannot be reached, say.
 */
export async function doctor(env: Env, flags: DoctorFlags): Promise<number> {
  const own = [...(await checkMachine(env)), ...(await checkData(env, dataOf(flags.data)))];
  const streams = await checkStreams(env, flags.streams ?? "file:");
  const checks = [...own, ...streams.checks];
  const isWell = checks.every((check) => check.status !== "fail");
  const isOwnWell = own.every((check) => check.status !== "fail");
  if (flags.json === true) await print(`${JSON.stringify({ ok: isWell, checks }, undefined, 2)}\n`);
  else for (const check of checks) await print(linesOf(check));
  if (isWell) return EXIT.done;
  return isOwnWell ? (streams.exitCode ?? EXIT.failed) : EXIT.failed;
}

function linesOf({ name, status, detail, fix }: Check): string {
  const line = `${status.padEnd(4)}  ${name.padEnd(9)}  ${printable(detail)}\n`;
  return fix === undefined ? line : `${line}${" ".repeat(17)}to do: ${printable(fix)}\n`;
}
