import type { Timers } from "../env/env.ts";

/** A display is repainted a few times a second; what lies between two paintings nobody sees. */
const INTERVAL_MS = 100;

/** Passes on what `ctx.progress` says: at once, then the last word of each tenth of a second. */
export class ProgressReports {
  readonly #timers: Timers;
  readonly #report: (done: number, total: number | undefined) => void;
  #isQuiet = false;
  #latest: readonly [number, number | undefined] | undefined;

  constructor(timers: Timers, report: (done: number, total: number | undefined) => void) {
    this.#timers = timers;
    this.#report = report;
  }

  say(done: number, total: number | undefined): void {
    this.#latest = [done, total];
    if (!this.#isQuiet) this.#pass();
  }

  /** Passes on what has waited: the last word before an end. */
  flush(): void {
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest !== undefined) this.#report(...latest);
  }

  #pass(): void {
    this.flush();
    this.#isQuiet = true;
    this.#timers.after(
      INTERVAL_MS,
      () => {
        this.#isQuiet = false;
        if (this.#latest !== undefined) this.#pass();
      },
      { background: true },
    );
  }
}
