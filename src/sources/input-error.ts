import { resolve } from "node:path";
import { ensureError, StageError } from "../errors.ts";

/** A file, as the user named it, that cannot be read; the same error when it is one already. */
export function unreadable(path: string, thrown: unknown): StageError {
  if (thrown instanceof StageError) return thrown;
  const cause = ensureError(thrown);
  return new StageError(
    "MR_INPUT_UNREADABLE",
    `${path}: it cannot be read: ${cause.message}; look at ${resolve(path)}`,
    { scope: "stage", cause, retryable: true, details: { path } },
  );
}

/** A file of an interrupted run that is not as it was. */
export function changed(path: string, what: string): StageError {
  return new StageError(
    "MR_INPUT_CHANGED",
    `${path}: ${what}; put it back as it was and resume, or read everything anew with --new`,
    { scope: "stage", details: { path } },
  );
}
