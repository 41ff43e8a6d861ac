import {
  ERROR_CODES,
  type ErrorCode,
  type ErrorScope,
  ensureError,
  MillraceError,
  RemoteError,
} from "../errors.ts";
import { encodePlain } from "./plain-data.ts";

/** An error as it travels in a reply. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly scope: ErrorScope;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Details above this, or that are not plain data, stay at home. */
const DETAILS_BYTES_LIMIT = 8 * 1024;
const MESSAGE_CHARACTERS_LIMIT = 4_000;
const SCOPES: readonly string[] = ["item", "stage", "instance", "run", "call"] satisfies ErrorScope[];

/** What a requester gets of a thrown value: a MillraceError with its code, anything else as MR_INTERNAL. */
export function toFailure(thrown: unknown): Failure {
  const error = ensureError(thrown);
  const message = error.message.slice(0, MESSAGE_CHARACTERS_LIMIT);
  if (!(error instanceof MillraceError)) {
    return {
      code: "MR_INTERNAL",
      message: `${error.name}: ${message}`,
      scope: "call",
      retryable: false,
      details: {},
    };
  }
  const { code, scope, retryable } = error;
  return { code, message, scope, retryable, details: carried(error.details) };
}

/** The error of a failure, whatever was received: what is not understood becomes MR_INTERNAL. */
export function fromFailure(received: unknown): RemoteError {
  const given = (typeof received === "object" && received !== null ? received : {}) as Record<
    string,
    unknown
  >;
  const known = typeof given.code === "string" && Object.hasOwn(ERROR_CODES, given.code);
  const details = typeof given.details === "object" && given.details !== null ? given.details : {};
  const message =
    typeof given.message === "string" ? given.message : "the other side failed; it did not say why";
  return new RemoteError(known ? (given.code as ErrorCode) : "MR_INTERNAL", message, {
    scope: SCOPES.includes(given.scope as string) ? (given.scope as ErrorScope) : "call",
    retryable: given.retryable === true,
    // The code of a newer version is not ours to have, but a person may know it.
    details: known ? { ...details } : { ...details, code: String(given.code) },
  });
}

function carried(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(encodePlain(details, DETAILS_BYTES_LIMIT, "details")) as Record<string, unknown>;
  } catch {
    return {};
  }
}
