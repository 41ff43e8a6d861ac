import type { ErrorInfo } from "../errors.ts";
import type { Duration } from "./duration.ts";

/** An item that used up its attempts, with all that is known of it. */
export interface DeadLetter<Item = unknown> {
  /** The item's; kept for life, also through replays. */
  readonly id: string;
  readonly pipeline: string;
  readonly run: string;
  readonly stage: string;
  /** `undefined` with `raw` when the bytes cannot be decoded. */
  readonly item: Item;
  /** The item's bytes, only when they cannot be decoded. */
  readonly raw?: Buffer;
  readonly key?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Oldest first; `at` in milliseconds since 1970. */
  readonly attempts: readonly { readonly at: number; readonly error: ErrorInfo }[];
  readonly reason: "error" | "timeout" | "killed" | "not-decodable";
  /** SHA-256 of the code that failed. */
  readonly bundle: string;
  readonly path: readonly string[];
  readonly deadAt: number;
  readonly enqueuedAt: number;
  /** How often it had been replayed when it died. */
  readonly replay: number;
  /** When it was edited, and by which code (its SHA-256), if by code. */
  readonly edited?: { readonly at: number; readonly by?: string };
}

/** Which dead letters are meant: those for which all of it holds. */
export interface DeadLetterFilter {
  /** Default: all stages. */
  readonly stage?: string;
  readonly ids?: readonly string[];
  /** Part of the last error's name and message, in any case. */
  readonly error?: string;
  readonly reason?: DeadLetter["reason"];
  /** Died within this time. */
  readonly since?: Duration;
  /** At most so many. */
  readonly limit?: number;
}

/** Letters one by one with `for await`, or all at once with `await`. */
export type DeadLetterList = AsyncIterable<DeadLetter> & PromiseLike<DeadLetter[]>;

/** Ids, a stage's name, or a filter; `{}` is all of them. */
export type DeadLetterChoice = string | readonly string[] | DeadLetterFilter;

/** What makes another item of a dead one, or that item itself. */
export type DeadLetterChange =
  | ((item: unknown, letter: DeadLetter) => unknown)
  | object
  | string
  | number
  | bigint
  | boolean
  | null;

/** The dead letters of a run. */
export interface DeadLetterDesk {
  /** By stage and id, a page in memory at a time; awaited, all of them in an array. */
  list(choice?: DeadLetterChoice): DeadLetterList;
  /** The letters of this id: one, or none, a stage. */
  get(id: string): Promise<DeadLetter[]>;
  count(stage?: string): Promise<number>;
  /**
   * Puts what `change` makes of an item in its place, or `change` itself where it is no function; `undefined` leaves
   * it as it is. Letters that somebody else has
   * changed meanwhile are not touched. Rejects with UsageError MR_ITEM_INVALID when the stage's schema refuses an
   * item, EncodingError for one that cannot be stored, and with what `change` throws; pages before that one stay edited.
   */
  edit(choice: DeadLetterChoice, change: DeadLetterChange): Promise<{ readonly edited: number }>;
  /**
   * Puts letters back on their stages with fresh attempts. Each is dead or waiting at any moment, so that it can be
   * said again after whatever happened. A run that is over takes them along when it goes on.
   */
  replay(
    choice: DeadLetterChoice,
  ): Promise<{ readonly replayed: number; readonly unreadable: readonly string[] }>;
  /** Removes letters for good. */
  drop(choice: DeadLetterChoice): Promise<{ readonly dropped: number }>;
}
