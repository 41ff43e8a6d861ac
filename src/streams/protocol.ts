import type { Pacing } from "../definition/pacing.ts";
import type { ErrorInfo } from "../errors.ts";
import type { BlobDelta, CountDelta, Mark, Outcome } from "./contract.ts";

/** The local stream protocol, version 1: what instances, agent and streams process say to each other. */
export const STREAM_PROTOCOL_VERSION = 1;

export const MESSAGE = {
  // instance or agent → streams process
  hello: 1,
  credit: 2,
  started: 3,
  transact: 4,
  request: 5,
  // streams process → instance or agent
  welcome: 16,
  deliver: 17,
  confirmed: 18,
  refused: 19,
  reply: 20,
  event: 21,
} as const;

/**
 * What an instance is to its stage's stream: a worker pulls from it; a suspect instance gets single items that
 * were in hand when a process died; a source only appends; a control connection asks and judges.
 */
export type ConnectionRole = "worker" | "suspect" | "source" | "control";

export interface HelloHead {
  readonly version: number;
  readonly role: ConnectionRole;
  readonly stage: string;
  readonly instance: string;
  /** Proves that the caller was told of this run by its agent. */
  readonly secret: string;
  /** After a lost connection: items that were begun and whose settlement was not confirmed. */
  readonly lost?: number;
}

export interface WelcomeHead {
  /** Names this life of the streams process: claims of an earlier one are void. */
  readonly boot: string;
  /** Sources: what the last durable transaction of this source left under its key. */
  readonly sourceState?: Uint8Array;
}

export interface CreditHead {
  readonly items: number;
}

/** Ranges whose items are being handed to user code: frame, from, to … */
export interface StartedHead {
  readonly ranges: readonly number[];
}

/** One delivered range; its frame, cut to the range, is the blob at the same place. */
export interface DeliveredRange {
  /** The frame's number in its stream. */
  readonly f: number;
  /** Place of the range's first item in that frame. */
  readonly o: number;
  /** Items. */
  readonly n: number;
  /** What the items did to earlier instances: place in the range, mark. */
  readonly m?: readonly (readonly [number, Mark])[];
}

export interface DeliverHead {
  readonly ranges: readonly DeliveredRange[];
}

export interface TransactHead {
  /** Number of the transaction on this connection; sources go on counting over connections. */
  readonly n: number;
  /** Frame, from, to, outcome. */
  readonly settle: readonly (readonly [number, number, number, Outcome])[];
  /** Stream, items, delay, new; the frame is the blob at the same place. */
  readonly append: readonly (readonly [string, number, number, boolean])[];
  /** Keys whose values are the blobs after the frames; `false`: removed. */
  readonly records: readonly (readonly [string, boolean])[];
  readonly counts: readonly CountDelta[];
  /** Blob, change of the number of deliveries that refer to it. */
  readonly blobs?: readonly BlobDelta[];
}

export interface ConfirmedHead {
  readonly n: number;
}

export interface RefusedHead {
  readonly n: number;
  readonly error: ErrorInfo;
}

/** What the agent knows of an instance's end. */
export interface Verdict {
  readonly instance: string;
  readonly stage: string;
  /** Whether the items in hand are to be suspected. */
  readonly charge: boolean;
  /** An end that may well have come from outside: in company it is not held against an item. */
  readonly external: boolean;
  /** The call that outlived its time: only this item is charged, with a time-out. */
  readonly culprit?: { readonly frame: number; readonly place: number };
  readonly what: string;
  /**
   * What the repeats that follow are counted under; without it, by whether somebody is charged. One that has
   * drained to its end has settled all that it gave to user code: what it had announced beyond is no repeat.
   */
  readonly cause?: "instance-died" | "drain-cut-short" | "drained";
}

export interface StreamReport {
  readonly name: string;
  readonly unsettled: number;
  readonly delayed: number;
  readonly claimed: number;
  readonly suspects: number;
  readonly appended: number;
}

/** Requests of a control connection and their answers. */
export interface ControlRequests {
  /** `pacing` of the stages that have some. */
  open: {
    ask: { streams: readonly string[]; pacing?: Readonly<Record<string, Pacing>> };
    answer: { damage: readonly string[] };
  };
  verdict: { ask: Verdict; answer: { suspects: number } };
  stats: { ask: Record<string, never>; answer: StatsAnswer };
  scan: {
    ask: { prefix: string; cursor?: string; limit?: number };
    answer: { keys: readonly string[]; values: readonly Uint8Array[]; cursor?: string };
  };
  get: { ask: { key: string }; answer: { value?: Uint8Array } };
  count: { ask: { prefix: string }; answer: { count: number } };
}

export interface StatsAnswer {
  readonly boot: string;
  readonly streams: readonly StreamReport[];
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface RequestHead {
  readonly id: number;
  readonly verb: keyof ControlRequests;
  readonly ask: unknown;
}

export interface ReplyHead {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: ErrorInfo;
}

/** What the streams process tells its agent unasked. */
export type StreamEvent =
  | { readonly kind: "notice"; readonly stage: string; readonly message: string }
  | { readonly kind: "suspects"; readonly stage: string; readonly count: number }
  | { readonly kind: "empty"; readonly stage: string }
  | { readonly kind: "quarantined"; readonly stage: string; readonly items: number; readonly problem: string }
  | { readonly kind: "engine-failed"; readonly error: ErrorInfo };
