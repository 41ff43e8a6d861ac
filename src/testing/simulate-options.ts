import type { Duration } from "../definition/duration.ts";

/** When an instance of a stage dies. */
export type KillPoint =
  /** When its stage gets its n-th item, the first is 1; for a source, when it yields it. Once. */
  | number
  /** Whenever it gets an item for which this holds: an item that ends its process. */
  | ((item: never) => unknown)
  | {
      readonly item: number | ((item: never) => unknown);
      /** After the function has done its work, and before anybody knows of it. Default: before the function is called. */
      readonly after?: boolean;
    };

export interface Faults {
  /**
   * Items whose function is called a second time, because the connection broke before its result was known. A
   * share of all items (0 to 1) for every stage and sink, or by stage: a share, or which items (the first is 1).
   */
  readonly redeliver?: number | Readonly<Record<string, number | readonly number[]>>;
  /** By stage, sink or source: when an instance of it dies, with all that it has in hand. */
  readonly killAt?: Readonly<Record<string, KillPoint | readonly KillPoint[]>>;
}

/**
 * What a simulation is given. Every other name is that of a source, with the items that it gives instead of
 * running its own function: an iterable or async iterable, or a function of `ctx` that returns one.
 */
export interface SimulateOptions<Params = Record<string, unknown>, Input = unknown> {
  /** As for `run`. */
  readonly params?: Params;
  /** Jobs: what `split` gets. Left out, the job's own. */
  readonly input?: Input;
  /** Decides what is left to chance: order among instances, ids, jitter, faults by share. Default 1. */
  readonly seed?: number;
  /** The wall clock at the beginning: a Date, milliseconds since 1970 or ISO text. Default 2026-01-01T00:00:00Z. */
  readonly startAt?: Date | number | string;
  /**
   * Virtual time after which what still runs is stopped. Default: 24 hours if a source is running by then,
   * otherwise none.
   */
  readonly until?: Duration;
  /** Instances by stage. Default: as the stages say, at least one. */
  readonly instances?: Readonly<Record<string, number>>;
  /** By stage or sink: what runs in its place, a function or `{ setup, run, teardown }`. */
  readonly stubs?: Readonly<Record<string, unknown>>;
  /** Sources by name, as at the top level: for a source whose name is that of an option. */
  readonly sources?: Readonly<Record<string, unknown>>;
  readonly faults?: Faults;
  /** As in `faults`, unless a source is called so. */
  readonly redeliver?: Faults["redeliver"];
  /** As in `faults`, unless a source is called so. */
  readonly killAt?: Faults["killAt"];
  /**
   * Real milliseconds that the virtual clock waits for a function of yours that awaits something real and stands
   * still: then time goes on without it, and its `timeoutMs` passes. Default 1,000.
   */
  readonly patienceMs?: number;
  /** Calls of your functions after which a simulation that comes to no end is given up. Default 1,000,000. */
  readonly maxCalls?: number;
  readonly [source: string]: unknown;
}
