import type { RecordStore, RecordWrite } from "../records/record-store.ts";
import type { AttemptInfo, Frame } from "../wire/frame.ts";

/**
 * What a stream engine does for the streams process. An engine stores frames and remembers which of their
 * items are done; claims, credit, suspects and fencing are not its business: the server has them for all
 * engines alike.
 */

/** What a hand-over to the engine survives. */
export type Durability = "power-loss" | "process-death" | "nothing";

export interface Capabilities {
  /** Settlements, appends and records of one transaction become visible and durable together. */
  readonly atomic: boolean;
  readonly delay: boolean;
  readonly order: boolean;
  readonly maxFrameBytes: number;
  readonly confirmSurvives: Durability;
  readonly fencing: "engine" | "streams-process";
}

/** How a delivery of an item to a stage ended; `retried` only ends this placement of it. */
export const OUTCOMES = ["completed", "filtered", "dead", "discarded", "quarantined", "retried"] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Items `from` to before `to` of a frame are done. */
export interface Settlement {
  readonly stream: string;
  readonly frame: number;
  readonly from: number;
  readonly to: number;
  readonly outcome: Outcome;
}

export interface Append {
  readonly stream: string;
  readonly frame: Buffer;
  readonly count: number;
  /** Not to be delivered before; measured by a monotonic clock, begun anew when the engine restarts. */
  readonly delayMs: number;
  /** False for items that were on this stream before: a retry is not accepted twice. */
  readonly isNew: boolean;
}

/** A failed attempt after which an item keeps its place. */
export interface FailedAttempts {
  /** To wait before the next call; measured by a monotonic clock, begun anew with each delivery. */
  readonly delayMs: number;
  /** All failed attempts so far, oldest first. */
  readonly history: readonly AttemptInfo[];
}

/** What an item did to the instances it ran on: kept until it settles. */
export interface Mark {
  /** Deaths with which it is charged. */
  readonly kills: number;
  /** Set when its call outlived its time-out and its instance was ended for it: one failed attempt. */
  readonly timedOut?: boolean;
  /** Set when it has failed since in an instance that lived on: it is no suspect any more. */
  readonly isCleared?: boolean;
  readonly failed?: FailedAttempts;
  /** What was seen of the process at its last death: "signal SIGABRT", "exit code 1" … */
  readonly last: string;
  readonly at: number;
}

export interface MarkWrite {
  readonly stream: string;
  readonly frame: number;
  readonly place: number;
  readonly mark: Mark;
}

/** Additions to durable counters: [stage, counter, by]. */
export type CountDelta = readonly [stage: string, counter: string, by: number];

/** Additions to the number of deliveries that refer to a blob: at none it goes. */
export type BlobDelta = readonly [blob: string, by: number];

export interface Transaction {
  readonly settlements: readonly Settlement[];
  readonly appends: readonly Append[];
  readonly records: readonly RecordWrite[];
  readonly marks: readonly MarkWrite[];
  readonly counts: readonly CountDelta[];
  readonly blobs?: readonly BlobDelta[];
}

/** The transaction that does nothing, to be spread into one that does little. */
export const NOTHING: Transaction = { settlements: [], appends: [], records: [], marks: [], counts: [] };

/** A frame as the engine hands it out, with what is left to do in it. */
export interface Delivery {
  readonly stream: string;
  /** The engine's name for the frame, unique in its stream for as long as the frame lives. */
  readonly frame: number;
  /** Checked and parsed once, by the engine. */
  readonly content: Frame;
  /** Ranges of items that are not settled yet. */
  readonly pending: readonly (readonly [from: number, to: number])[];
  readonly marks: ReadonlyMap<number, Mark> | undefined;
}

export interface ConsumeOptions {
  /** Items are to come in the order in which they were appended, even where that means to wait for some. */
  readonly inOrder?: boolean;
}

export interface Deliveries {
  /** Asks for frames with about so many items more. */
  want(items: number): void;
  close(): void;
}

export interface StreamStats {
  /** Items not settled: waiting, delayed or in somebody's hands. */
  readonly unsettled: number;
  /** Bytes of the frames that have any of them. */
  readonly bytes: number;
  /** Of these, items whose time has not come. */
  readonly delayed: number;
  /** Grows with every append, also of retries. */
  readonly appended: number;
}

export interface StreamEngine {
  readonly capabilities: Capabilities;
  readonly records: RecordStore;
  open(stream: string): Promise<void>;
  /** Resolves when all of it is as durable as the engine promises; rejects having done none of it. */
  transact(transaction: Transaction): Promise<void>;
  consume(stream: string, onDelivery: (delivery: Delivery) => void, options?: ConsumeOptions): Deliveries;
  stats(stream: string): StreamStats;
  /** Durable counters: stage → counter → value. */
  counts(): ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Called when a frame cannot be read back; the engine has settled its items as quarantined. */
  onQuarantine(listener: (stream: string, frame: number, items: number, problem: string) => void): void;
  /** Called when nothing refers to a blob any more, for good. */
  onBlobFree(listener: (blob: string) => void): void;
  /** Whether something refers to a blob. */
  holdsBlob(blob: string): boolean;
  /**
   * Called with what stands in the way - the broker is away, or takes nothing - and with undefined once it is out of
   * the way. Only an engine with a broker has it.
   */
  onTrouble?(listener: (trouble: string | undefined) => void): void;
  /** Called with what people should know and need do nothing about. Only an engine with a broker has it. */
  onNotice?(listener: (text: string) => void): void;
  /** The run has completed: what lies outside its own folder - queues of a broker - is removed. Then it is to be closed. */
  retire?(): Promise<void>;
  close(): Promise<void>;
}
