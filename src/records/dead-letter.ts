import type { AttemptInfo } from "../wire/frame.ts";

export type DeadReason = "error" | "timeout" | "killed" | "not-decodable";

/** A dead letter as it is stored; `frame` holds the item's exact bytes and all that is known of it but its attempts. */
export interface StoredDeadLetter {
  readonly id: string;
  readonly pipeline: string;
  readonly run: string;
  readonly stage: string;
  readonly key?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Oldest first; of this life only: a replay begins anew. */
  readonly attempts: readonly AttemptInfo[];
  readonly reason: DeadReason;
  /** SHA-256 of the code that failed. */
  readonly bundle: string;
  readonly path: readonly string[];
  /** Wall clock, milliseconds since 1970. */
  readonly deadAt: number;
  readonly enqueuedAt: number;
  readonly frame: Uint8Array;
  /** The lane of its stage's stream where it lay; absent: the first. Where a stage keeps order, the key says it. */
  readonly lane?: number;
  /** How often it had been replayed when it died; absent: never. */
  readonly replay?: number;
  /** Of an edited letter: when, by which code (a SHA-256; absent when by hand), and the frame as it died. */
  readonly edited?: { readonly at: number; readonly by?: string };
  readonly original?: Uint8Array;
}
