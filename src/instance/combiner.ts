import type { Page } from "./result-pages.ts";

/** What a job's combine makes of stored results, step by step. */
export interface Combiner {
  /** Whether pages are to be decoded when they come. */
  readonly decodes: boolean;
  /** Takes up what an earlier life has left. */
  load(): Promise<void>;
  /** After {@link load}: an earlier life has made the job's result; what comes now is of tasks that were put back. */
  reopen(): void;
  /** Takes pages that are stored now. */
  add(pages: readonly Page[]): void;
  /** Other pages stand for these now. */
  replace(gone: ReadonlySet<Page>, by: readonly Page[]): void;
  /** Whether there is something to be done now. */
  readonly canStep: boolean;
  /** Works for about a turn. Throws RunError MR_COMBINE_FAILED. */
  step(): Promise<void>;
  /** Whether a checkpoint would say more than the last one. */
  readonly canCheckpoint: boolean;
  /** Puts its state into the transaction in the making, and removes what that stands for. */
  checkpoint(): Promise<void>;
  /** Whether all of so many results have been taken. */
  isComplete(total: number): boolean;
  /** The job's result. Throws RunError MR_COMBINE_FAILED. */
  finish(total: number): Promise<unknown>;
  /** Before {@link finish}: stores what is needed to make another result, should tasks that were given up be put back. */
  keep(): Promise<void>;
  /** Removes all that it has stored, in the transaction in the making. */
  clear(): void;
}
