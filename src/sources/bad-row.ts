/** A row that could not be turned into an item. */
export interface BadRow {
  /** As the user or the pattern names it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The row; where its end is not to be found, its first line. */
  readonly text: string;
}

/**
 * What becomes of a bad row: `"fail"` ends the run there, and it can be resumed at that row; `"skip"` logs and counts it;
 * a function may give back an item in its place, or nothing.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return statement returns void.
export type OnBadRow<T> = "fail" | "skip" | ((row: BadRow, error: Error) => T | undefined | void);
