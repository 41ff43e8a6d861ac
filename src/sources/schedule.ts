/** When ticks are due; times are milliseconds since 1970. */
export interface Schedule {
  /** The first tick behind `time`; undefined when there is none any more. */
  next(time: number): number | undefined;
  /** The last tick up to `time`, which is `first` or one behind it. */
  latest(first: number, time: number): number;
  /** Where to count from when the clock has been set back, so that `last` lies ahead of it. */
  afterSetBack(last: number, now: number): number;
}

/** Every so many milliseconds from the last one on. */
export class Interval implements Schedule {
  readonly #ms: number;

  constructor(ms: number) {
    this.#ms = ms;
  }

  next(time: number): number {
    return time + this.#ms;
  }

  latest(first: number, time: number): number {
    return first + Math.floor((time - first) / this.#ms) * this.#ms;
  }

  /** It is about what lies between two ticks, not about the time of day. */
  afterSetBack(_last: number, now: number): number {
    return now;
  }
}
