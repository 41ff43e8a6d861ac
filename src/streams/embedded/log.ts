/** Where a blob - a frame or a record's value - lies in a log. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  /** CRC-32 of the blob, where it is known; `read` compares it. Frames carry one of their own. */
  readonly crc?: number;
}

/**
 * The offset of a frame whose bytes lie in a broker: its location is the segment of the entry that names it, which
 * must be kept for as long as the frame lives, and its length. No blob of the log lies there.
 */
export const IN_BROKER_OFFSET = 0;
/** About its share of an entry. */
const IN_BROKER_BYTES = 64;

/** What a living blob takes up in the log. */
export function weightOf({ offset, length }: Location): number {
  return offset === IN_BROKER_OFFSET ? IN_BROKER_BYTES : length;
}

/** One entry: a head that says what happened, and the blobs it speaks of. */
export interface LogEntry {
  readonly head: unknown;
  readonly blobs: readonly Uint8Array[];
}

/** Gives back what the log held when it was opened, oldest first. */
export type Replay = (head: unknown, blobs: readonly Location[]) => void;

/** What was found wrong when the log was opened. */
export interface LogDamage {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly kind: "torn-tail" | "damaged";
}

/**
 * An append-only log of entries. Entries given together become durable together; after a crash either all of
 * an entry is there or none of it, and no entry without all before it.
 */
export interface Log {
  /** Bytes that are given together at most, where more would make its segments unwieldy. */
  readonly groupBytes?: number;
  /** Milliseconds for which an entry that nobody is held up by may wait for others, where each append costs a flush. */
  readonly lingerMs?: number;
  /** Replays the log; to be called once, before anything else. */
  open(replay: Replay): Promise<readonly LogDamage[]>;
  /** Resolves when all entries are durable, with the locations of each entry's blobs. Rejects having kept none. */
  append(entries: readonly LogEntry[]): Promise<readonly (readonly Location[])[]>;
  /** Throws CorruptionError MR_LOG_CORRUPT when the blob is not what was written, as far as can be told. */
  read(location: Location): Promise<Buffer>;
  /** A blob came to life or is replayed as alive: its segment must be kept. */
  retain(location: Location): void;
  /** A blob is of no use any more. */
  release(location: Location): void;
  /**
   * A segment whose few living blobs hold up the removal of everything after it: move them. With `freeBytes`, which is what
   * a disk that is low has left, also one whose removal brings less.
   */
  segmentToEmpty(freeBytes?: number): number | undefined;
  /** Room is needed: what is of no use any more is to go early. Not while an append is under way. */
  shrink(): Promise<void>;
  close(): Promise<void>;
}
