import type { DrainReason } from "../definition/context.ts";
import type { ErrorInfo } from "../errors.ts";

/** What an agent tells an instance that it has spawned. */
export type ToInstance =
  | { readonly kind: "start"; readonly start: InstanceStart }
  /** `graceMs` from now its calls are aborted; said again with less, the sooner. */
  | { readonly kind: "drain"; readonly reason: DrainReason; readonly graceMs: number }
  /** Of a source: it yields no more until it is told to go on. */
  | { readonly kind: "pause"; readonly paused: boolean };

export interface InstanceStart {
  readonly run: string;
  readonly stage: string;
  readonly instance: string;
  readonly role: "worker" | "source" | "suspect";
  readonly bundle: { readonly path: string; readonly exportName: string; readonly hash: string };
  readonly params: unknown;
  /** Of a call: its time-out and grace together. */
  readonly limitMs: number;
  /** What the process may use beyond what it is born with. */
  readonly memoryBytes: number;
  /** The split of a job: what it was given. */
  readonly input?: StoredInput;
  /** Where the streams process listens, and what proves that we may connect. */
  readonly socket: string;
  readonly secret: string;
  /** Where the blobs of the run's items lie. */
  readonly blobs: string;
}

/**
 * The input of a job in a file.
 * - `value`: one encoded value
 * - `values`: the encoded elements of an iterable, each behind its length (4 bytes, little-endian)
 * - `text`: text in UTF-8
 */
export interface StoredInput {
  readonly as: "value" | "values" | "text";
  readonly path: string;
}

/** The input of a job as its split gets it: in a file, or as it was given to a run in the same process. */
export type JobInput = StoredInput | { readonly as: "given"; readonly value: unknown };

export type LogLevel = "debug" | "info" | "warn" | "error";

/** What an instance tells its agent. */
export type FromInstance =
  | { readonly kind: "running" }
  /** It is about to end by itself, for this reason. */
  | { readonly kind: "ended"; readonly cause: "drained" | "source-done" }
  | { readonly kind: "setup-failed"; readonly error: ErrorInfo }
  | { readonly kind: "source-failed"; readonly error: ErrorInfo; readonly progressed: boolean }
  /** It has settled something: said once. */
  | { readonly kind: "settled" }
  /** A call goes on past its grace; only the end of the process ends it. Without an item: one of several hangs. */
  | { readonly kind: "stuck"; readonly item?: { readonly frame: number; readonly place: number } }
  /** The run cannot go on, whatever is tried again. */
  | { readonly kind: "run-failed"; readonly error: ErrorInfo }
  | { readonly kind: "progress"; readonly done: number; readonly total?: number }
  | { readonly kind: "trouble"; readonly error: ErrorInfo }
  | {
      readonly kind: "log";
      readonly level: LogLevel;
      readonly message: string;
      readonly fields?: Readonly<Record<string, unknown>>;
    };
