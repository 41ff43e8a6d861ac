import { type ErrorCode, MillraceError } from "../errors.ts";

/** Exit codes of every command. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  notAllowed: 5,
  unreachable: 6,
  timedOut: 7,
  partly: 8,
  version: 9,
  interrupted: 130,
  terminated: 143,
} as const;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  MR_USAGE: EXIT.usage,
  MR_BAD_PARAMS: EXIT.usage,
  MR_ITEM_INVALID: EXIT.usage,
  MR_BAD_OPTION: EXIT.usage,
  MR_BAD_NAME: EXIT.usage,
  MR_BAD_EDGE: EXIT.usage,
  MR_NO_SOURCE: EXIT.usage,
  MR_NO_SINK: EXIT.usage,
  MR_UNREACHABLE: EXIT.usage,
  MR_DUPLICATE_NAME: EXIT.usage,
  MR_ENDLESS_CYCLE: EXIT.usage,
  MR_AMBIGUOUS_EXPORT: EXIT.usage,
  MR_NOT_SUPPORTED: EXIT.usage,
  MR_CODE_UNKNOWN: EXIT.notFound,
  MR_MODULE_NOT_FOUND: EXIT.notFound,
  MR_NOTHING_TO_RUN: EXIT.notFound,
  MR_RUN_UNKNOWN: EXIT.notFound,
  MR_DEAD_LETTER_UNKNOWN: EXIT.notFound,
  MR_RUN_CONFLICT: EXIT.conflict,
  MR_INPUT_NOT_FOUND: EXIT.notFound,
  MR_FOLDER_NOT_EMPTY: EXIT.conflict,
  MR_RUN_OVER: EXIT.conflict,
  MR_NOT_PUSHABLE: EXIT.conflict,
  MR_STAGE_STATE: EXIT.conflict,
  MR_DATA_LOCKED: EXIT.conflict,
  MR_DATA_NOT_OURS: EXIT.conflict,
  MR_DATA_UNWRITABLE: EXIT.notAllowed,
  MR_UNREACHABLE_PEER: EXIT.unreachable,
  MR_ENGINE_UNREACHABLE: EXIT.unreachable,
  MR_ENGINE_REFUSED: EXIT.notAllowed,
  MR_ENGINE_TOO_OLD: EXIT.version,
  MR_ENGINE_CLIENT_MISSING: EXIT.notFound,
  MR_ENGINE_QUEUE_DIFFERS: EXIT.conflict,
  MR_MODULE_TIMEOUT: EXIT.timedOut,
  MR_REQUEST_TIMEOUT: EXIT.timedOut,
  MR_LOG_VERSION: EXIT.version,
  MR_PROTOCOL_VERSION: EXIT.version,
};

/** The exit code for whatever a command threw. */
export function exitCodeOf(error: unknown): number {
  return error instanceof MillraceError ? exitCodeFor(error.code) : EXIT.failed;
}

/** The exit code of a command that such an error ends. */
export function exitCodeFor(code: ErrorCode): number {
  return BY_CODE[code] ?? EXIT.failed;
}
