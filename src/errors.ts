/**
 * Every error that millrace throws on purpose.
 *
 * `code` is stable and documented; `scope` says what the error takes down with it; `retryable` says what
 * the engine does next. Messages read `<subject>: <what happened>; <what to do>`.
 */

/** What an error takes down with it, smallest first. */
export type ErrorScope = "item" | "stage" | "instance" | "run" | "call";

export interface MillraceErrorOptions {
  readonly cause?: unknown;
  readonly scope?: ErrorScope;
  readonly retryable?: boolean;
  /** Facts for programs: file, stage, item, limit … Plain values only. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly scope: ErrorScope;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.scope = options.scope ?? "call";
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** The pipeline's own definition is wrong: found before anything starts. */
export class DefinitionError extends MillraceError {}
/** The module, its params or a command's flags are wrong. */
export class UsageError extends MillraceError {}
/** A value cannot be carried between processes. Fails its item. */
export class EncodingError extends MillraceError {}
/** Bytes that are not what they should be: a torn or damaged frame, message or record. */
export class CorruptionError extends MillraceError {}
/** The data directory cannot be used as asked. */
export class DataDirectoryError extends MillraceError {}
/** A stream, its server or the connection to it failed. */
export class StreamError extends MillraceError {}
/** User code failed outside a call: a source, a setup, a teardown. */
export class StageError extends MillraceError {}
/** An item's call did not settle in time. */
export class CallTimeoutError extends MillraceError {}
/** A message of the control protocol was refused. */
export class ProtocolError extends MillraceError {}
/** The backplane, or a call to it, failed: nobody there, no answer in time, a conflict, a closed client. */
export class BackplaneError extends MillraceError {}
/** The other side refused or failed a request; code, message and details are its own. */
export class RemoteError extends MillraceError {}
/** A run ended without completing. */
export class RunError extends MillraceError {}

/** What a {@link JobFailedError} knows beside its message. */
export interface JobFailure {
  /** The task that failed for good, where that is why. */
  readonly task?: { readonly position: number; readonly input: unknown };
  /** What was thrown, as text. */
  readonly error?: ErrorInfo;
  readonly run: string;
}

/** A job has failed. What is done is kept: when the cause is mended, the same command goes on with what is left. */
export class JobFailedError extends RunError {
  readonly run: string;
  /** The task that failed for good: its place in the split, from 0, and its data; undefined when that is not why. */
  readonly task: { readonly position: number; readonly input: unknown } | undefined;
  /** Place of the task in the split, from 0; undefined when it is not a task that failed. */
  readonly position: number | undefined;
  /** The task's data. */
  readonly input: unknown;
  /** The original error: name, message and stack. */
  readonly error: ErrorInfo | undefined;

  constructor(code: ErrorCode, message: string, { task, error, run }: JobFailure) {
    super(code, message, {
      scope: "run",
      ...(error && { cause: errorFrom(error) }),
      details: { run, ...(task && { position: task.position }) },
    });
    this.run = run;
    this.task = task && { position: task.position, input: task.input };
    this.position = task?.position;
    this.input = task?.input;
    this.error = error;
  }
}

/** An Error with the name, message and stack that were kept as text. */
function errorFrom({ name, message, stack }: ErrorInfo): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = stack;
  return error;
}

/** Thrown by user code: this item is beyond help; it goes to the dead letters without further attempts. */
export class TerminalError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "TerminalError";
  }
}

/**
 * Thrown by user code: try this item again after `delayMs`, milliseconds or a text such as "5m", instead of the
 * stage's back-off. Counts as an attempt. What is no time is left to the back-off.
 */
export class RetryLater extends Error {
  readonly delayMs: number | string;
  constructor(
    delayMs: number | `${number}${"ms" | "s" | "m" | "h" | "d"}`,
    message = `retry in ${typeof delayMs === "number" ? `${delayMs} ms` : delayMs}`,
  ) {
    super(message);
    this.name = "RetryLater";
    this.delayMs = delayMs;
  }
}

/** An error as it is stored and shown: name, message and stack as text. */
export interface ErrorInfo {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code?: string;
}

/** Reverse of {@link errorInfo}, of no class of its own. */
export function errorOf(info: ErrorInfo): Error {
  const error = new Error(info.message);
  error.name = info.name;
  error.stack = info.stack;
  return info.code === undefined ? error : Object.assign(error, { code: info.code });
}

/** Turns whatever was thrown into an Error; a thrown non-Error is named as such. */
export function ensureError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  if (typeof thrown === "object" && thrown !== null && "message" in thrown && "name" in thrown) {
    // An Error of another realm (node:vm, a test runner): same shape, other prototype.
    const foreign = thrown as { name: unknown; message: unknown; stack?: unknown };
    const error = new Error(String(foreign.message));
    error.name = String(foreign.name);
    if (typeof foreign.stack === "string") error.stack = foreign.stack;
    return error;
  }
  const error = new Error(`a non-error was thrown: ${describeValue(thrown)}`);
  error.name = "NonError";
  return error;
}

/** {@link ErrorInfo} of whatever was thrown, bounded so that one stack cannot fill a dead letter. */
export function errorInfo(thrown: unknown): ErrorInfo {
  const error = ensureError(thrown);
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const info = {
    name: clip(String(error.name), 200),
    message: clip(String(error.message), 4_000),
    stack: clip(String(error.stack ?? ""), 8_000),
  };
  return code === undefined ? info : { ...info, code: clip(code, 200) };
}

/** A short, safe rendering of any value for an error message. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return clip(JSON.stringify(value), 120);
  if (typeof value === "function") return `function ${value.name || "(anonymous)"}`;
  if (typeof value === "object" && value !== null) {
    // n.b. "{}" would say nothing of a generator, a Map or a Set.
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    if (/Generator|Map|Set|Promise|Iterator/.test(kind)) return `${/^[AI]/.test(kind) ? "an" : "a"} ${kind}`;
    try {
      return clip(JSON.stringify(value) ?? Object.prototype.toString.call(value), 120);
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return value === null || value === undefined ? String(value) : `${String(value)} (${typeof value})`;
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}

/**
 * Every code with what to do about it. `docs/reference/errors.md` has one entry a code; a test compares both ways.
 */
export const ERROR_CODES = {
  // definition
  MR_NO_SOURCE: "Give the pipeline at least one source.",
  MR_NO_SINK:
    "End every path in a sink: a stage without an outgoing edge has nowhere to put what it returns.",
  MR_UNREACHABLE: "Join the stage to a source, or remove it.",
  MR_DUPLICATE_NAME: "Give every source, stage and sink of a pipeline a name of its own.",
  MR_BAD_NAME:
    "Use letters, digits, '-', '_' and '.', at most 64 characters, starting with a letter or digit.",
  MR_ENDLESS_CYCLE:
    "Give the cycle a way out: an edge with `when`, or a stage that may filter, leading out of it.",
  MR_BAD_EDGE: "An edge leads from a source or stage to a stage or sink of the same pipeline.",
  MR_BAD_OPTION: "Give the option a value of the type and range that its documentation names.",
  // usage
  MR_USAGE: "See `millrace COMMAND --help`.",
  MR_FOLDER_NOT_EMPTY: "Name an empty or new folder: `millrace init DIR`.",
  MR_CODE_UNKNOWN: "List the codes with `millrace explain`.",
  MR_MODULE_NOT_FOUND: "Check the path of the module and of what it imports.",
  MR_MODULE_INVALID: "Fix the compile error or the exception that the module throws when it is imported.",
  MR_MODULE_TIMEOUT: "The module did not finish loading: remove what blocks at import time.",
  MR_NOTHING_TO_RUN: "Export a pipeline from the module, as default or by name.",
  MR_AMBIGUOUS_EXPORT: "Name the export: MODULE#export.",
  MR_BAD_PARAMS: "Give the params that the pipeline's schema asks for, with --param name=value.",
  MR_RUN_IN_INSTANCE:
    "Do not call run() when the module is imported; guard it, or start it with `millrace run`.",
  MR_NOT_SUPPORTED: "This version of millrace does not do that yet.",
  // items
  MR_NOT_ENCODABLE: "Return plain data: what MessagePack carries, Date, Map, Set, typed arrays, bigint.",
  MR_ITEM_TOO_LARGE: "Keep items below 960 KiB; store larger payloads elsewhere and pass a reference.",
  MR_PUSH_TOO_LARGE: "Push fewer items at once: one push is one transaction.",
  MR_CALL_OUTPUT_TOO_LARGE: "Give back less in one call: split the input into smaller items first.",
  MR_BAD_RETURN: "Return what the stage's kind allows: see the rules of return values.",
  MR_CALL_TIMEOUT: "Raise timeoutMs, or stop the work when ctx.signal aborts.",
  MR_KILLED:
    "The item was in hand when its process died, twice: look for process.exit, abort or exhausted memory.",
  MR_NOT_DECODABLE: "The stored bytes cannot be decoded: see the dead letter's raw bytes.",
  MR_ITEM_INVALID: "Give the item what its stage's schema asks for.",
  // stages
  MR_SOURCE_FAILED: "Fix the source; the same command resumes from its last checkpoint.",
  MR_INPUT_NOT_FOUND: "Check the path: a relative one starts at the directory where the command was started.",
  MR_INPUT_UNREADABLE: "See the message: give read access, or replace the file with a whole one.",
  MR_INPUT_CHANGED: "Put back the file as it was and resume, or start afresh with --new.",
  MR_BAD_ROW: "Correct the row and go on; a source takes onBadRow, `millrace push` takes --skip-bad.",
  MR_SETUP_FAILED: "Fix the stage's setup; the same command resumes.",
  MR_BREAKER_OPEN:
    "Nearly all items of the stage failed for five minutes: repair what it calls; the same command resumes.",
  MR_INSTANCE_FAILING: "The stage's instances keep dying before they work on an item: see their last output.",
  // jobs
  MR_JOB_FAILED:
    "A task has failed for good: fix it, and the same command goes on with what is left; or use onTaskFailure: skip.",
  MR_JOB_STOPPED: "The job was stopped before its end: the same command goes on with what is left.",
  MR_COMBINE_FAILED: "Fix combine: the tasks' results are kept, and the same command goes on from them.",
  MR_SPLIT_NOT_DETERMINISTIC:
    "Make split yield the same tasks in the same order every time: nothing by chance, by the clock or from a source that changes; or use --new.",
  // streams
  MR_FRAME_CORRUPT: "The frame was damaged: it is set aside in quarantine.",
  MR_LOG_CORRUPT:
    "A segment of the log is damaged in its middle: what could be read is kept, the rest is reported.",
  MR_LOG_VERSION:
    "The data directory was written by another version of millrace: use that version, or --new.",
  MR_STREAM_UNKNOWN: "The stream was not opened; the run's definition and its data disagree.",
  MR_STREAM_CLOSED: "The streams process is gone; it is restarted and the work goes on.",
  MR_CLAIM_LOST: "The items were handed to another instance meanwhile; this result is dropped.",
  MR_BACKPRESSURE: "The other side takes no more for now: wait and try again.",
  MR_DISK_LOW: "Little of the disk is left: wait and try again, or make room.",
  MR_DISK_FULL: "Make room on the disk of the data directory; the same command resumes.",
  // engines
  MR_ENGINE_UNREACHABLE: "Start the broker, or check host and port; `--streams file:` needs none.",
  MR_ENGINE_REFUSED: "Correct what the message names: user, password, virtual host, rights or TLS authority.",
  MR_ENGINE_TOO_OLD: "Run a newer version of the broker.",
  MR_ENGINE_CLIENT_MISSING: "Install the package that the message names beside millrace.",
  MR_ENGINE_QUEUE_DIFFERS: "Remove the queue, or give the options that it was made with.",
  MR_ENGINE_FULL: "Make room in the broker, or raise its limit; nothing that was confirmed is lost.",
  // data directory
  MR_DATA_NOT_OURS: "Name an empty or new directory with --data, or one that millrace made.",
  MR_DATA_LOCKED: "Another live process works on this run: wait for it, or stop it.",
  MR_DATA_UNWRITABLE: "Give write access to the data directory, or name another with --data.",
  // runs
  MR_RUN_CONFLICT: "Use --new to start afresh, or --resume RUN to go on with that run.",
  MR_RUN_UNKNOWN: "Check the names and --data: the message says what there is.",
  MR_STAGE_COMPLETED: "Wait for the run to end; then the same command re-opens it without its source.",
  MR_RUN_OVER: "Start the run again; what was stored is kept.",
  MR_STAGE_STATE: "See the stage's state with `millrace status PIPELINE`.",
  MR_NOT_PUSHABLE: "Push to a source that is made with push() and has not been closed.",
  MR_EDIT_FAILED: "Fix the function that edits; the same command goes on where it was.",
  MR_DEAD_LETTER_UNKNOWN: "List the dead letters with `millrace dead list PIPELINE`.",
  MR_SIMULATION_ENDLESS: "Give the simulation sources that end, `until`, or a higher `maxCalls`.",
  // control plane
  MR_PROTOCOL: "The message is not understood: both sides must speak the same version of MMOP.",
  MR_PROTOCOL_VERSION: "Run the same version of millrace on both sides.",
  MR_STALE_EPOCH: "Another coordinator has taken over.",
  MR_REQUEST_TIMEOUT: "The other side did not answer in time: see whether it is running.",
  MR_UNREACHABLE_PEER: "The process that should answer is gone: see whether it is running.",
  MR_MESSAGE_TOO_LARGE: "Put large data into a file or an object bucket and send its name.",
  MR_BACKPLANE_CLOSED: "The connection to the backplane was closed: open another.",
  MR_BACKPLANE_CORRUPT:
    "A file of the backplane's store is damaged: restore it, or remove it to start without it.",
  MR_BLOB_UNAVAILABLE:
    "Read a blob inside the stage that got its item, before the call ends; it goes with the last item that refers to it.",
  MR_REVISION_CONFLICT: "Another writer was first: read the value again and decide anew.",
  MR_INTERNAL: "This is a bug in millrace: please report it with the stack.",
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What to do about an error of this code. */
export function remedyFor(code: ErrorCode): string {
  return ERROR_CODES[code];
}
