import type { Clock, Timer, Timers } from "../env/env.ts";
import type { SeededRandom } from "./seeded-random.ts";

interface Pending {
  readonly at: number;
  readonly fire: () => void;
  onGone: (() => void) | undefined;
  isOver: boolean;
}

/**
 * A clock that moves only when it is told to, with its timers, and the order in which what is ready takes place.
 *
 * T1 Nothing happens by itself: `step` runs one ready thing, `advance` lets time pass to the next timer.
 * T2 What is written to different sockets arrives in an order that the seed decides; one socket keeps its own.
 */
export class VirtualTime {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Timers for sockets, whose deliveries may overtake one another. */
  readonly sockets: Timers;
  /** Called for each timer that is set; what it gives is called when the timer has fired or was cancelled. */
  onTimer: (() => (() => void) | undefined) | undefined;
  /** Called when there is something to do that was not there before. */
  onWork: (() => void) | undefined;
  readonly #random: SeededRandom;
  #now = 0;
  #soon: (() => void)[] = [];
  #arrivals: (() => void)[] = [];
  /** By time, latest first. */
  readonly #pending: Pending[] = [];

  constructor(startAt: number, random: SeededRandom) {
    this.#random = random;
    this.clock = { now: () => startAt + this.#now, mono: () => this.#now };
    this.timers = {
      // Nobody waits for what goes on in the background.
      after: (ms, fire, options) => this.#after(ms, fire, options?.background === true),
      every: (ms, fire) => this.#every(ms, fire),
      soon: (fire) => {
        this.#soon.push(fire);
        this.onWork?.();
      },
      sleep: (ms, signal) => this.#sleep(ms, signal),
    };
    this.sockets = {
      ...this.timers,
      soon: (fire) => {
        this.#arrivals.push(fire);
        this.onWork?.();
      },
    };
  }

  /** Virtual milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Runs one thing that is ready; false when nothing is. */
  step(): boolean {
    const arrivals = this.#arrivals.length;
    const place = arrivals === 0 ? 0 : this.#random.whole(0, arrivals - (this.#soon.length > 0 ? 0 : 1));
    const [next] = place < arrivals ? this.#arrivals.splice(place, 1) : this.#soon.splice(0, 1);
    next?.();
    return next !== undefined;
  }

  /** When the next timer is due; undefined when there is none. */
  get nextAt(): number | undefined {
    while (this.#pending.at(-1)?.isOver === true) this.#pending.pop();
    return this.#pending.at(-1)?.at;
  }

  /** Lets time pass until the next timer, and fires it; false when there is none. */
  advance(): boolean {
    if (this.nextAt === undefined) return false;
    const timer = this.#pending.pop() as Pending;
    this.#now = Math.max(this.#now, timer.at);
    end(timer);
    timer.fire();
    return true;
  }

  /** Lets time pass to a moment before the next timer. */
  passTo(at: number): void {
    this.#now = Math.max(this.#now, at);
  }

  #after(ms: number, fire: () => void, isBackground = false): Timer {
    const timer: Pending = {
      at: this.#now + (ms > 0 ? ms : 0),
      fire,
      onGone: isBackground ? undefined : this.onTimer?.(),
      isOver: false,
    };
    // Timers of one moment fire in the order in which they were set.
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pending[middle] as Pending).at > timer.at) low = middle + 1;
      else high = middle;
    }
    this.#pending.splice(low, 0, timer);
    this.onWork?.();
    return { cancel: () => end(timer) };
  }

  #every(ms: number, fire: () => void): Timer {
    let isOver = false;
    let timer: Timer;
    const arm = (): void => {
      timer = this.#after(Math.max(1, ms), () => {
        fire();
        if (!isOver) arm();
      });
    };
    arm();
    return {
      cancel: () => {
        isOver = true;
        timer.cancel();
      },
    };
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.#after(ms, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}

function end(timer: Pending): void {
  if (timer.isOver) return;
  timer.isOver = true;
  timer.onGone?.();
}
