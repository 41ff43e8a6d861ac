import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { dataOf } from "./data-flag.ts";
import { type Check, ok } from "./doctor-check.ts";
import { checkData } from "./doctor-data.ts";
import { checkMachine } from "./doctor-machine.ts";
import { EXIT } from "./exit-code.ts";
import { print, printable } from "./terminal.ts";

interface DoctorFlags {
  readonly data?: string;
  readonly json?: boolean;
}

/** Adds `millrace doctor`; `onExit` is told its exit code. */
export function addDoctorCommand(program: Command, env: Env, onExit: (code: number) => void): void {
  program
    .command("doctor")
    .description("what is missing on this machine, and how to get it; changes nothing")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)")
    .option("--json", "print one JSON document")
    .action(async (flags: DoctorFlags) => onExit(await doctor(env, flags)));
}

/** Exit code 0 unless a check fails; warnings are fine. */
export async function doctor(env: Env, flags: DoctorFlags): Promise<number> {
  const checks = [...(await checkMachine(env)), ...(await checkData(env, dataOf(flags.data))), promises()];
  const isWell = checks.every((check) => check.status !== "fail");
  if (flags.json === true) await print(`${JSON.stringify({ ok: isWell, checks }, undefined, 2)}\n`);
  else for (const check of checks) await print(linesOf(check));
  return isWell ? EXIT.done : EXIT.failed;
}

/** What the embedded streams promise; nothing is measured here. */
function promises(): Check {
  return ok(
    "streams",
    'file: a confirmed item survives the death of any process, and with durability "disk", the default, a power cut; memory: nothing survives',
  );
}

function linesOf({ name, status, detail, fix }: Check): string {
  const line = `${status.padEnd(4)}  ${name.padEnd(9)}  ${printable(detail)}\n`;
  return fix === undefined ? line : `${line}${" ".repeat(17)}to do: ${printable(fix)}\n`;
}
