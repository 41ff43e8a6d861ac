import {
  DefinitionError,
  ERROR_CODES,
  type ErrorCode,
  ensureError,
  MillraceError,
  UsageError,
} from "../errors.ts";
import { stackPlace } from "./stack-place.ts";

/**
 * What a module's import threw, as an error that names the user's line. A definition that millrace itself refused
 * keeps its code: it says more than "the module threw".
 *
 * @param shown the module as the user named it.
 * @param files absolute paths of the user's files in its bundle.
 */
export function importFailure(thrown: unknown, shown: string, files: readonly string[]): MillraceError {
  const error = ensureError(thrown);
  const place = stackPlace(String(error.stack ?? ""), files);
  const at = place === undefined ? "" : ` at ${place}`;
  const facts = thrown instanceof MillraceError ? thrown.details : {};
  const details = place === undefined ? facts : { ...facts, place };
  const code = ownCode(thrown);
  if (code !== undefined) {
    const Kind = error.name === "DefinitionError" ? DefinitionError : UsageError;
    return new Kind(code, `${error.message}${place === undefined ? "" : ` (${place})`}`, {
      details,
      cause: error,
    });
  }
  return new UsageError(
    "MR_MODULE_INVALID",
    `${shown}: it threw while it was imported: ${error.name}: ${error.message}${at}; fix the exception`,
    { details, cause: error },
  );
}

/** By code and not by class: a package of the user's may bring a copy of millrace of its own. */
function ownCode(thrown: unknown): ErrorCode | undefined {
  if (thrown instanceof MillraceError) return thrown.code;
  const code =
    typeof thrown === "object" && thrown !== null ? (thrown as { code?: unknown }).code : undefined;
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : undefined;
}
