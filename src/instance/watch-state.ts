/**
 * What the main thread tells the watchdog thread, through shared memory: plain stores, since a call must cost
 * nothing extra, and a value that is a moment old does no harm.
 */
export const WATCH = {
  /** A `WATCH_STATE`. */
  state: 0,
  /** Grows with every call, setup and teardown: a number that stands still is a call that does. */
  sequence: 1,
  /** The item in hand. */
  frame: 2,
  place: 3,
  /** Grows with every turn of a one-second timer of the main thread. */
  ticks: 4,
  /** Milliseconds after which a call is hanging; 0: never. */
  limitMs: 5,
} as const;

export const WATCH_STATE = { outside: 0, inCall: 1 } as const;

export const WATCH_BYTES = 6 * Float64Array.BYTES_PER_ELEMENT;

export function newWatchState(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(WATCH_BYTES));
}

/** What the watchdog thread writes, a line each time. */
export interface WatchReport {
  readonly inCall: boolean;
  /** How long the same call, or the same moment outside one, has stood still. */
  readonly stuckMs: number;
  /** True when `stuckMs` has passed the limit of a call. */
  readonly hangs: boolean;
  readonly frame: number;
  readonly place: number;
}
