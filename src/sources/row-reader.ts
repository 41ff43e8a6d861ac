import type { LineBlock } from "./line-blocks.ts";

/** What a format made of a block of lines. */
export interface Rows<T> {
  readonly items: readonly T[];
  /** Lines of this block that the items and everything before them cover; undefined when they reach less far. */
  readonly upTo: number | undefined;
  /** Ends the source, after these items. */
  readonly error?: Error;
}

/** Makes items of the lines of one file: one for each format. */
export interface RowReader<T> {
  read(block: LineBlock): Rows<T>;
  /** The file is at its end: what is left of it. */
  end(): Rows<T>;
  /** Kept in the token, given to the reader that goes on from there. Plain data. */
  readonly state: unknown;
}
