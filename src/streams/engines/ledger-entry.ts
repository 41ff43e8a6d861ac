import type { CountDelta, Outcome } from "../contract.ts";
import { OUTCOMES } from "../contract.ts";

/**
 * Heads of log entries. They are arrays to be small; the blobs of an entry are its frames in the order of `a`,
 * then the values of `r` that are not removals.
 */
export interface EntryHead {
  /** Appends: stream, frame number, items, delay, 1 if new, done ranges of a moved frame. */
  readonly a?: readonly (readonly [string, number, number, number, 0 | 1, (readonly number[])?])[];
  /** Settlements: stream, frame, from, to, place in OUTCOMES. */
  readonly s?: readonly (readonly [string, number, number, number, number])[];
  /** Records: key, 1 if there is a value. */
  readonly r?: readonly (readonly [string, 0 | 1])[];
  /** Marks: stream, frame, place, kills, timed out, what was seen, when. */
  readonly m?: readonly (readonly [string, number, number, number, 0 | 1, string, number])[];
  readonly c?: readonly CountDelta[];
  /** 1: frames and records were only moved; nothing is counted. */
  readonly v?: 1;
}

/** What cannot be rebuilt from living entries, written at the start of each segment. */
export interface Snapshot {
  /** Stream: next frame number, appends so far. */
  readonly streams: Readonly<Record<string, readonly [number, number]>>;
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export function outcomeNumber(outcome: Outcome): number {
  return OUTCOMES.indexOf(outcome);
}
