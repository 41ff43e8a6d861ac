import {
  type Append,
  type BlobDelta,
  type CountDelta,
  type FailedAttempts,
  type Mark,
  type MarkWrite,
  OUTCOMES,
  type Transaction,
} from "../contract.ts";

/**
 * Heads of log entries. They are arrays to be small; the blobs of an entry are its frames in the order of `a`,
 * then the values of `r` that are not removals, then one empty blob for each of `q`: it stands for the frame's place.
 */
export interface EntryHead {
  /** Appends: stream, frame number, items, delay, 1 if new, done ranges of a moved frame. */
  readonly a?: readonly (readonly [string, number, number, number, 0 | 1, (readonly number[])?])[];
  /** Appends whose frames lie in a broker: stream, frame number, items, 1 if new, bytes, done ranges of a moved one. */
  readonly q?: readonly (readonly [string, number, number, 0 | 1, number, (readonly number[])?])[];
  /** A life begins: lower numbers of frames that are not known by now were of earlier lives. */
  readonly l?: number;
  /** Settlements: stream, frame, from, to, place in OUTCOMES. */
  readonly s?: readonly (readonly [string, number, number, number, number])[];
  /** Records: key, 1 if there is a value. */
  readonly r?: readonly (readonly [string, 0 | 1])[];
  readonly m?: readonly MarkEntry[];
  readonly c?: readonly CountDelta[];
  readonly b?: readonly BlobDelta[];
  /** 1: frames and records were only moved; nothing is counted. */
  readonly v?: 1;
}

/** Stream, frame, place, kills, flags, what was seen, when, failed attempts. */
export type MarkEntry = readonly [string, number, number, number, number, string, number, FailedAttempts?];

const TIMED_OUT = 1;
const CLEARED = 2;

export function markEntry({ stream, frame, place, mark }: MarkWrite): MarkEntry {
  const flags = (mark.timedOut === true ? TIMED_OUT : 0) | (mark.isCleared === true ? CLEARED : 0);
  const entry = [stream, frame, place, mark.kills, flags, mark.last, mark.at] as const;
  return mark.failed === undefined ? entry : [...entry, mark.failed];
}

export function markOf([, , , kills, flags, last, at, failed]: MarkEntry): Mark {
  return {
    kills,
    last,
    at,
    ...((flags & TIMED_OUT) === 0 ? {} : { timedOut: true }),
    ...((flags & CLEARED) === 0 ? {} : { isCleared: true }),
    ...(failed === undefined ? {} : { failed }),
  };
}

/** What cannot be rebuilt from living entries, written at the start of each segment. */
export interface Snapshot {
  /** Stream: next frame number, appends so far. */
  readonly streams: Readonly<Record<string, readonly [number, number]>>;
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The lowest number of a new frame in this life, where that is known. */
  readonly first?: number;
  /** Blob: deliveries that refer to it. */
  readonly blobs?: Readonly<Record<string, number>>;
}

export const IN_BROKER: Uint8Array = Buffer.alloc(0);

/**
 * The entry that says what a transaction did; `nextFrame` gives the number of a stream's next frame, `isInBroker`
 * tells which frames lie in a broker.
 */
export function entryOf(
  transaction: Transaction,
  nextFrame: (stream: string) => number,
  isInBroker?: (append: Append) => boolean,
): { head: EntryHead; blobs: Uint8Array[] } {
  const blobs: Uint8Array[] = [];
  const a: NonNullable<EntryHead["a"]>[number][] = [];
  const q: NonNullable<EntryHead["q"]>[number][] = [];
  for (const append of transaction.appends) {
    const { stream, frame, count, delayMs } = append;
    const isNew = append.isNew ? 1 : 0;
    if (isInBroker?.(append) === true) q.push([stream, nextFrame(stream), count, isNew, frame.length]);
    else {
      blobs.push(frame);
      a.push([stream, nextFrame(stream), count, delayMs, isNew]);
    }
  }
  const r = transaction.records.map((write) => {
    if (write.value !== undefined) blobs.push(write.value);
    return [write.key, write.value === undefined ? 0 : 1] as const;
  });
  for (let i = 0; i < q.length; i++) blobs.push(IN_BROKER);
  const s = transaction.settlements.map(
    ({ stream, frame, from, to, outcome }) => [stream, frame, from, to, OUTCOMES.indexOf(outcome)] as const,
  );
  const m = transaction.marks.map(markEntry);
  return {
    head: {
      ...(a.length > 0 ? { a } : {}),
      ...(q.length > 0 ? { q } : {}),
      ...(s.length > 0 ? { s } : {}),
      ...(r.length > 0 ? { r } : {}),
      ...(m.length > 0 ? { m } : {}),
      ...(transaction.counts.length > 0 ? { c: transaction.counts } : {}),
      ...(transaction.blobs !== undefined && transaction.blobs.length > 0 ? { b: transaction.blobs } : {}),
    },
    blobs,
  };
}
