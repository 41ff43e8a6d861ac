import { UsageError } from "../errors.ts";
import type { DescribePhase } from "./describe-messages.ts";

/** What is known of a describe child that ended without an answer, or had to be ended. */
export interface LostChild {
  /** The module as the user named it. */
  readonly shown: string;
  readonly phase: DescribePhase;
  /** Where the user's code ended the process, when it did. */
  readonly exitPlace?: string;
  /** The end of its stderr. */
  readonly lastLines: readonly string[];
}

const DOING: Readonly<Record<DescribePhase, string>> = {
  start: "before it was compiled",
  compile: "while it was compiled",
  import: "while it was imported",
  check: "while its params were checked",
};

/** MR_MODULE_INVALID: the process ended by itself. */
export function childDeath(
  child: LostChild,
  exit: { readonly code: number | null; readonly signal: string | null },
): UsageError {
  const { shown, phase, exitPlace, lastLines } = child;
  const when = DOING[phase];
  const details = { phase, ...exit, output: lastLines };
  const invalid = (problem: string): UsageError =>
    new UsageError("MR_MODULE_INVALID", `${shown}: ${problem}`, { details });
  if (exitPlace !== undefined) {
    return invalid(
      `it called process.exit(${exit.code ?? ""}) ${when}, at ${exitPlace}; a module must outlive its import`,
    );
  }
  const last = lastLines.findLast((line) => line.trim() !== "");
  const said = last === undefined ? "" : ` (it last wrote: ${last.trim()})`;
  const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
  return invalid(`its process was ended ${how} ${when}${said}; look for abort, a crash or exhausted memory`);
}

const WAITING: Readonly<Record<DescribePhase, string>> = {
  start: "its process did not start",
  compile: "it was not compiled",
  import: "it was not imported: it blocks, or its top-level await does not settle;",
  check: "its params were not checked: its schema blocks or does not settle;",
};

/** MR_MODULE_TIMEOUT: the time was up and the process has been ended. */
export function childTimeout(child: LostChild, limitMs: number): UsageError {
  const { shown, phase, lastLines } = child;
  const waiting = WAITING[phase];
  const message = waiting.endsWith(";")
    ? `${shown}: after ${limitMs} ms ${waiting} remove what waits`
    : `${shown}: after ${limitMs} ms ${waiting}; see whether this machine is overloaded`;
  return new UsageError("MR_MODULE_TIMEOUT", message, { details: { phase, limitMs, output: lastLines } });
}
