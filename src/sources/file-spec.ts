import { fileURLToPath } from "node:url";
import { DefinitionError, describeValue } from "../errors.ts";

/** One file: a path, a pattern such as `data/*.csv`, or a `file:` URL. */
export type FileName = string | URL;

/**
 * Which files a source reads: one, a list, or a function that gives them from the run's params. Relative paths start
 * at the directory in which the command was started; `new URL("./data.csv", import.meta.url)` lies beside the module.
 */
export type FileSpec<Params = unknown> =
  | FileName
  | readonly FileName[]
  | ((params: Params) => FileName | readonly FileName[]);

/** What was named, as paths and patterns. Throws DefinitionError MR_BAD_OPTION for what names no file. */
export function namedFiles(spec: unknown, subject: string): string[] {
  const names = Array.isArray(spec) ? (spec as unknown[]) : [spec];
  if (names.length === 0) throw refusal(subject, "an empty list");
  return [...new Set(names.map((name) => pathOf(name, subject)))];
}

/** For messages: `lines("data/*.csv")`. */
export function subjectOf(source: string, spec: unknown): string {
  if (typeof spec === "function") return `${source}(…)`;
  return `${source}(${spec instanceof URL ? JSON.stringify(spec.href) : describeValue(spec)})`;
}

/** What can be checked before the params are known. */
export function checkSpec(spec: unknown, subject: string): void {
  if (typeof spec !== "function") namedFiles(spec, subject);
}

function pathOf(name: unknown, subject: string): string {
  if (name instanceof URL) {
    if (name.protocol === "file:") return fileURLToPath(name);
    throw refusal(subject, `the URL ${name.href}, whose protocol is not file:`);
  }
  if (typeof name !== "string" || name === "") throw refusal(subject, describeValue(name));
  return /^file:\/\//i.test(name) ? fileURLToPath(name) : name;
}

function refusal(subject: string, got: string): DefinitionError {
  return new DefinitionError(
    "MR_BAD_OPTION",
    `${subject}: its file must be a path, a pattern, a file: URL, or a list of these, got ${got}; name at least one file`,
  );
}
