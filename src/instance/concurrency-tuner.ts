/** A level is judged after so long, and after so many calls for each slot, at the earliest. */
const WINDOW_MS = 250;
const LEAST_CALLS = 8;
const CALLS_PER_SLOT = 2;
/** A level is not judged when there was nothing to do at more of the looks. */
const MOST_IDLE = 0.2;
/** More slots are kept when they bring this part of what they would bring if nothing were in the way. */
const WORTH_GOING_UP = 0.25;
/** Fewer slots are kept when they do this part of what more of them did. */
const WORTH_GOING_DOWN = 0.95;
/** Levels that are lived with before the next try: more each time that trying was in vain. */
const FIRST_REST = 4;
const LONGEST_REST = 32;

type Mode = "ramp" | "up" | "down" | "rest";

/**
 * Finds how many calls of an asynchronous function should be in flight: as many as bring more throughput, and no
 * more. It tries a level, compares what was done in the time with what the level before did, and keeps the better
 * one; then it rests, and tries again with a few less or a few more, since what is called may have changed.
 *
 * T1 Between `min` and `max`, whatever happens.
 * T2 Only time in which all slots were taken says anything; without that nothing changes.
 */
export class ConcurrencyTuner {
  readonly #min: number;
  readonly #max: number;
  #limit: number;
  #mode: Mode = "ramp";
  /** The level that is compared with, and what it did: calls in a millisecond. */
  #base: { limit: number; rate: number } | undefined;
  #rests = 0;
  #rest = FIRST_REST;
  #nextTry: "up" | "down" = "down";
  #since: { readonly at: number; readonly ended: number; looks: number; idle: number } | undefined;

  constructor({ min, max }: { readonly min: number; readonly max: number }) {
    this.#min = min;
    this.#max = max;
    this.#limit = min;
  }

  /** Whether there is nothing to find out. */
  get isFixed(): boolean {
    return this.#min === this.#max;
  }

  get limit(): number {
    return this.#limit;
  }

  /** To be called whenever work was given out: the time, the calls that have ended so far, whether more could have begun. */
  look(now: number, ended: number, isSaturated: boolean): void {
    const since = this.#since;
    if (since === undefined) {
      if (isSaturated) this.#since = { at: now, ended, looks: 0, idle: 0 };
      return;
    }
    since.looks++;
    if (!isSaturated) since.idle++;
    const ms = now - since.at;
    const calls = ended - since.ended;
    if (ms < WINDOW_MS || calls < Math.max(LEAST_CALLS, CALLS_PER_SLOT * this.#limit)) return;
    // Much of it may have been spent waiting for something to do: that says nothing.
    this.#since = undefined;
    if (since.idle > since.looks * MOST_IDLE) return;
    this.#judge(calls / ms);
    this.#since = { at: now, ended, looks: 0, idle: 0 };
  }

  #judge(rate: number): void {
    const base = this.#base;
    if (base === undefined) {
      this.#base = { limit: this.#limit, rate };
      this.#try("ramp");
      return;
    }
    switch (this.#mode) {
      case "ramp":
      case "up": {
        const ideal = this.#limit / base.limit - 1;
        if (rate >= base.rate * (1 + WORTH_GOING_UP * ideal)) this.#keep(rate);
        else this.#goBack(base);
        return;
      }
      case "down":
        if (rate >= base.rate * WORTH_GOING_DOWN) this.#keep(rate);
        else this.#goBack(base);
        return;
      case "rest":
        base.rate = base.rate * 0.7 + rate * 0.3;
        if (++this.#rests < this.#rest) return;
        this.#nextTry = this.#nextTry === "down" ? "up" : "down";
        this.#try(this.#nextTry);
    }
  }

  #keep(rate: number): void {
    this.#base = { limit: this.#limit, rate };
    this.#rest = FIRST_REST;
    this.#try(this.#mode);
  }

  #goBack(base: { readonly limit: number }): void {
    this.#limit = base.limit;
    this.#pause();
  }

  #pause(): void {
    this.#mode = "rest";
    this.#rests = 0;
    this.#rest = Math.min(LONGEST_REST, this.#rest * 2);
  }

  /** Goes to the next level; rests where there is none. */
  #try(mode: Mode): void {
    const next =
      mode === "ramp"
        ? this.#limit * 2
        : mode === "up"
          ? Math.max(this.#limit + 1, Math.round(this.#limit * 1.25))
          : Math.min(this.#limit - 1, Math.round(this.#limit * 0.8));
    const limit = Math.max(this.#min, Math.min(this.#max, next));
    if (limit === this.#limit) {
      this.#pause();
      return;
    }
    this.#mode = mode;
    this.#limit = limit;
  }
}
