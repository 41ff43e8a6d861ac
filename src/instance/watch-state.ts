/**
 * What the main thread tells the watchdog thread, through shared memory: plain stores, since a call must cost
 * nothing extra, and a value that is a moment old does no harm.
 */
export const WATCH = {
  /** A `WATCH_STATE`. */
  state: 0,
  /** Grows with every call, setup and teardown: a number that stands still is a call that does. */
  sequence: 1,
  /** The item in hand; -1 when there are several. */
  frame: 2,
  place: 3,
  /** Grows with every turn of a timer of the main thread. */
  ticks: 4,
  /** Milliseconds after which a call is hanging; 0: never. */
  limitMs: 5,
  /** Asynchronous calls that have not settled: a main thread that stands still stands still in one of them. */
  unsettled: 6,
} as const;

export const WATCH_STATE = { outside: 0, inCall: 1 } as const;

export const WATCH_BYTES = 7 * Float64Array.BYTES_PER_ELEMENT;

/** How often the main thread shows that its event loop turns: often enough for the limit that it is measured by. */
export function tickMs(limitMs: number): number {
  return limitMs === 0 ? 1_000 : Math.min(1_000, Math.max(25, Math.floor(limitMs / 4)));
}

export function newWatchState(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(WATCH_BYTES));
}

/** What the watchdog thread writes, a line each time. */
export interface WatchReport {
  /** In a call, or with calls that have not settled. */
  readonly inCall: boolean;
  /** How long the same call, or the same moment outside one, has stood still. */
  readonly stuckMs: number;
  /** True when `stuckMs` has passed the limit of a call. */
  readonly hangs: boolean;
  /** The item in hand; -1 when there are several. */
  readonly frame: number;
  readonly place: number;
  /** Bytes in use, once they are more than the process may have: it is ending itself. */
  readonly outgrownTo?: number;
}
