/** Marks what a ready-made source gives back: it can be had in batches as well as item by item. */
export const SOURCE_BATCHES: unique symbol = Symbol.for("millrace.source-batches") as never;

/** Items that a source hands over at once: a promise an item is what reading a file would otherwise cost. */
export interface SourceBatch<T> {
  readonly items: readonly T[];
  /** Covers these items and all before; undefined: an earlier token stays the last. */
  readonly token: unknown;
}

/** What has {@link SOURCE_BATCHES}. */
export interface Batched<T> {
  [SOURCE_BATCHES](): AsyncIterator<SourceBatch<T>>;
}

/** Whether a source's function gave back something that hands over batches. */
export function isBatched(given: unknown): given is Batched<unknown> {
  return typeof given === "object" && given !== null && SOURCE_BATCHES in given;
}
