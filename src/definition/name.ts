import { DefinitionError, describeValue } from "../errors.ts";

const PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Checks the name of a pipeline, source, stage or sink: it is part of file names, of stream names and of what is
 * typed on a command line.
 *
 * @throws DefinitionError MR_BAD_NAME.
 */
export function checkName(name: unknown, subject: string): asserts name is string {
  if (typeof name === "string" && PATTERN.test(name)) return;
  throw new DefinitionError(
    "MR_BAD_NAME",
    `${subject}: ${describeValue(name)} is not a name; use letters, digits, "-", "_" and ".", ` +
      "at most 64 characters, starting with a letter or digit",
  );
}
