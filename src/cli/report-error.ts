import { ensureError, MillraceError, remedyFor } from "../errors.ts";
import { styleFor } from "./display/style.ts";
import { exitCodeOf } from "./exit-code.ts";
import { printable, tell } from "./terminal.ts";

/** Says on stderr what went wrong, where, and what to do; gives the exit code. */
export function reportError(thrown: unknown): number {
  const error = ensureError(thrown);
  const { dim, red } = styleFor(process.stderr, process.env);
  if (!(error instanceof MillraceError)) {
    tell(`${red("error")} ${printable(error.stack ?? error.message)}`);
    return exitCodeOf(error);
  }
  tell(`${red("error")} ${error.code}  ${printable(error.message)}`);
  const cause =
    error.cause instanceof Error && !(error.cause instanceof MillraceError) ? error.cause : undefined;
  if (
    error.code === "MR_MODULE_INVALID" &&
    cause?.stack !== undefined &&
    !error.message.includes(cause.message)
  ) {
    tell(printable(cause.stack));
  }
  tell(`  to do: ${remedyFor(error.code)}`);
  tell(dim(`  more: millrace explain ${error.code}`));
  return exitCodeOf(error);
}
