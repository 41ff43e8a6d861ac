import type { Pacing } from "../definition/pacing.ts";
import type { ErrorInfo } from "../errors.ts";
import type { BlobDelta, CountDelta, Mark, Outcome } from "./contract.ts";
import type { StagesAhead } from "./hand-over.ts";
import type { LetterEdit, ReplayAnswer } from "./letter-desk.ts";

/** The local stream protocol, version 1: what instances, agent and streams process say to each other. */
export const STREAM_PROTOCOL_VERSION = 1;

/** Deaths after which an item is not given to user code again. */
export const KILLS_TO_DEAD_LETTER = 2;

export const MESSAGE = {
  // instance or agent → streams process
  hello: 1,
  credit: 2,
  started: 3,
  transact: 4,
  request: 5,
  freed: 6,
  take: 7,
  probed: 8,
  unstarted: 9,
  // streams process → instance or agent
  welcome: 16,
  deliver: 17,
  confirmed: 18,
  refused: 19,
  reply: 20,
  event: 21,
  grant: 22,
  full: 23,
  breaker: 24,
} as const;

/**
 * What an instance is to its stage's stream: a worker pulls from it; a suspect instance gets single items that
 * were in hand when a process died; a source only appends, and so does whoever pushes into one from outside; a
 * control connection asks and judges.
 */
export type ConnectionRole = "worker" | "suspect" | "source" | "push" | "control";

export interface HelloHead {
  readonly version: number;
  readonly role: ConnectionRole;
  readonly stage: string;
  readonly instance: string;
  /** Proves that the caller was told of this run by its agent. */
  readonly secret: string;
  /** After a lost connection: items that were begun and whose settlement was not confirmed. */
  readonly lost?: number;
  /** After a lost connection: lanes of an ordered stage of which a call is still running. */
  readonly busy?: readonly number[];
  /** Of a push source: all that it does is to pass items on to these stages, which take each as it is. */
  readonly passesOn?: readonly string[];
  /** An item that comes alone, while nothing else is in its hands, is called at once: to be handed out is to be begun. */
  readonly callsAtOnce?: true;
}

/** Lanes of an ordered stage whose calls, begun over an earlier connection, have ended. */
export interface FreedHead {
  readonly lanes: readonly number[];
}

export interface WelcomeHead {
  /** Names this life of the streams process: claims of an earlier one are void. */
  readonly boot: string;
  /** Sources and pushers: what the last durable transaction of this one left under its key. */
  readonly sourceState?: Uint8Array;
}

export interface CreditHead {
  readonly items: number;
  /** This was the last: the instance drains, and its lanes may go to others. */
  readonly isLast?: boolean;
}

/** Ranges whose items are being handed to user code, or (`unstarted`) are not after all: frame, from, to … */
export interface StartedHead {
  readonly ranges: readonly number[];
}

/** Parts of the stage's rate that are asked for, or granted: key, items. */
export interface TakeHead {
  readonly asks: readonly (readonly [string, number])[];
}

export interface GrantHead {
  readonly grants: readonly (readonly [string, number])[];
}

/** All stages that are full: with what waits for them, nobody outside their cycle is to place more. */
export interface FullHead {
  readonly stages: readonly string[];
  /** Set while the disk is low: nothing is to come in from outside. */
  readonly isDiskLow?: true;
}

/** What the stage's circuit breaker says: work, wait, or (to one instance) make one call. */
export interface BreakerHead {
  readonly state: "closed" | "open" | "probe";
}

export interface ProbedHead {
  readonly isGood: boolean;
}

/** One delivered range; its frame, cut to the range, is the blob at the same place. */
export interface DeliveredRange {
  /** The frame's handle: its number with that of its lane. All that goes back names the frame by it. */
  readonly f: number;
  /** Place of the range's first item in that frame. */
  readonly o: number;
  /** Items. */
  readonly n: number;
  /** What the items did to earlier instances: place in the range, mark. */
  readonly m?: readonly (readonly [number, Mark])[];
  /** The first so many count as begun: there is no need to say so. */
  readonly b?: number;
}

export interface DeliverHead {
  readonly ranges: readonly DeliveredRange[];
}

export interface TransactHead {
  /** Number of the transaction on this connection; sources and pushers go on counting over connections. */
  readonly n: number;
  /** Frame, from, to, outcome. */
  readonly settle: readonly (readonly [number, number, number, Outcome])[];
  /** Stream, items, delay, new; the frame is the blob at the same place. */
  readonly append: readonly (readonly [string, number, number, boolean])[];
  /** Keys whose values are the blobs after the frames; `false`: removed. */
  readonly records: readonly (readonly [string, boolean])[];
  readonly counts: readonly CountDelta[];
  /**
   * Attempts that failed of items that keep their place: frame, place, delay, whether the item is handed back. What
   * is known of all its attempts is the blob after the records.
   */
  readonly attempts?: readonly (readonly [number, number, number, boolean])[];
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
  readonly bytes: number;
  readonly delayed: number;
  readonly claimed: number;
  readonly suspects: number;
  /** Set while its circuit breaker is open. */
  readonly breaker?: "open";
  readonly appended: number;
  /** Of a push source that takes no more items. */
  readonly closed?: true;
}

/** The stages whose streams are to be there. */
export interface OpenAsk {
  readonly streams: readonly string[];
  /** Those of them that take items from outside. */
  readonly inputs?: readonly string[];
  /** Partitions of those that keep order. */
  readonly partitions?: Readonly<Record<string, number>>;
  /** Pacing of the stages that have some. */
  readonly pacing?: Readonly<Record<string, Pacing>>;
  /** Instances, by stage, that live and may have worked with an earlier life of the streams process. */
  readonly former?: Readonly<Record<string, readonly string[]>>;
  /** The stages that each one feeds, but for those of its own cycle and combine. */
  readonly ahead?: StagesAhead;
  /** Those whose items get another chance, whatever was held against them in an earlier life of the run. */
  readonly forgiving?: readonly string[];
}

/** Requests of a control connection and their answers. */
export interface ControlRequests {
  open: { ask: OpenAsk; answer: { damage: readonly string[] } };
  /** A push source takes no more items. */
  close: { ask: { stream: string }; answer: Record<string, never> };
  /** The run has completed: what lies outside its own folder is removed. */
  retire: { ask: Record<string, never>; answer: Record<string, never> };
  verdict: { ask: Verdict; answer: { suspects: number } };
  stats: { ask: Record<string, never>; answer: StatsAnswer };
  scan: {
    ask: { prefix: string; cursor?: string; limit?: number };
    answer: { keys: readonly string[]; values: readonly Uint8Array[]; cursor?: string };
  };
  get: { ask: { key: string }; answer: { value?: Uint8Array } };
  count: { ask: { prefix: string }; answer: { count: number } };
  keys: {
    ask: { prefix: string; cursor?: string; limit?: number };
    answer: { keys: readonly string[]; cursor?: string };
  };
  "replay-letters": { ask: { stage: string; ids: readonly string[] }; answer: ReplayAnswer };
  "drop-letters": {
    ask: { stage: string; ids: readonly string[] };
    answer: { dropped: number; missing: readonly string[] };
  };
  "edit-letters": {
    ask: { stage: string; edits: readonly LetterEdit[] };
    answer: { edited: number; changed: readonly string[] };
  };
}

/** What stands between the engine and its broker, and for how long. */
export interface TroubleReport {
  readonly what: string;
  readonly forMs: number;
}

export interface StatsAnswer {
  readonly boot: string;
  /** Set while sources wait and pushes are refused, because there is little room on the disk. */
  readonly disk?: "low";
  /** Set while the engine's broker is away or takes nothing. */
  readonly trouble?: TroubleReport;
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
  | {
      readonly kind: "breaker";
      readonly stage: string;
      readonly state: "open" | "closed" | "given-up";
      readonly what: string;
    }
  | { readonly kind: "notice"; readonly stage: string; readonly message: string }
  | { readonly kind: "disk"; readonly state: "low" | "enough"; readonly what: string }
  /** Without `what` it is over, after `forMs`. */
  | { readonly kind: "trouble"; readonly what?: string; readonly forMs: number }
  | { readonly kind: "suspects"; readonly stage: string; readonly count: number }
  | { readonly kind: "empty"; readonly stage: string }
  | { readonly kind: "quarantined"; readonly stage: string; readonly items: number; readonly problem: string }
  | { readonly kind: "engine-failed"; readonly error: ErrorInfo };
