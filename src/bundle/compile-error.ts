import { resolve } from "node:path";
import type { BuildFailure, Message } from "esbuild";
import { UsageError } from "../errors.ts";
import { shownPath } from "./shown-path.ts";

/** More than a screenful helps nobody. */
const MAX_SHOWN = 5;

/** True for what esbuild's `build` rejects with when the user's code is at fault. */
export function isBuildFailure(thrown: unknown): thrown is BuildFailure {
  return thrown instanceof Error && Array.isArray((thrown as Partial<BuildFailure>).errors);
}

/**
 * esbuild's complaint as a UsageError: MR_MODULE_NOT_FOUND when an import leads nowhere, MR_MODULE_INVALID otherwise,
 * with file:line:column (counted from 1) and the line in question.
 *
 * @param folder what the failure's file names are relative to.
 */
export function compileError(failure: BuildFailure, modulePath: string, folder: string): UsageError {
  const first = failure.errors[0];
  if (first === undefined) {
    return new UsageError(
      "MR_MODULE_INVALID",
      `${shownPath(modulePath)}: ${failure.message}; fix the module`,
    );
  }
  const specifier = /^Could not resolve "(.*)"$/.exec(first.text)?.[1];
  const subject = place(first, folder) ?? shownPath(modulePath);
  const frames = failure.errors.slice(0, MAX_SHOWN).map((error, i) => frame(error, folder, i === 0));
  const more = failure.errors.length - MAX_SHOWN;
  const body = `${frames.join("\n")}${more > 0 ? `\n(and ${more} more errors)` : ""}`;
  const details = {
    file: first.location === null ? modulePath : resolve(folder, first.location.file),
    ...(first.location === null ? {} : { line: first.location.line, column: first.location.column + 1 }),
    ...(specifier === undefined ? {} : { specifier }),
  };
  if (specifier === undefined) {
    const message = `${subject}: does not compile: ${first.text}; fix the code\n${body}`;
    return new UsageError("MR_MODULE_INVALID", message.trimEnd(), { details });
  }
  const isPackage = !/^(?:[./#\\]|[a-z]:)/i.test(specifier);
  const remedy = isPackage ? "install the package, or check the name" : "check the path";
  const message = `${subject}: cannot find "${specifier}"; ${remedy}\n${body}`;
  return new UsageError("MR_MODULE_NOT_FOUND", message.trimEnd(), { details });
}

function place({ location }: Message, folder: string): string | undefined {
  if (location === null) return undefined;
  return `${shownPath(resolve(folder, location.file))}:${location.line}:${location.column + 1}`;
}

function frame(error: Message, folder: string, isFirst: boolean): string {
  const { location } = error;
  // The first one's place and text are in the message already.
  const lines = isFirst ? [] : [`${place(error, folder) ?? "?"}: ${error.text}`];
  if (location !== null) {
    const number = String(location.line);
    // esbuild counts columns in bytes; the caret goes under characters.
    const before = Buffer.from(location.lineText).subarray(0, location.column).toString();
    const length = Math.max(1, Math.min(location.length, location.lineText.length - before.length));
    lines.push(`    ${number} │ ${location.lineText}`);
    lines.push(`    ${" ".repeat(number.length)} ╵ ${before.replace(/[^\t]/g, " ")}${"^".repeat(length)}`);
  }
  for (const note of error.notes) if (note.text !== "") lines.push(`    ${note.text}`);
  return lines.join("\n");
}
