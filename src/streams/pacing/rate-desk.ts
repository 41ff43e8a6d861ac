import type { Env, Timer } from "../../env/env.ts";
import type { RateBudget } from "./rate-budget.ts";

/** Who asks for a part of a stage's budget: an instance's connection. */
export interface RateTaker {
  grant(key: string, items: number): void;
}

/** Deals out a stage's budget to its instances, as they ask for it: by key in turn, nobody more than it wants. */
export class RateDesk {
  readonly budget: RateBudget;
  readonly #env: Env;
  /** What is wanted, by key; takers in turn. */
  readonly #asks = new Map<string, Map<RateTaker, number>>();
  #timer: Timer | undefined;

  constructor(env: Env, budget: RateBudget) {
    this.#env = env;
    this.budget = budget;
  }

  ask(taker: RateTaker, key: string, items: number): void {
    let takers = this.#asks.get(key);
    if (takers === undefined) {
      takers = new Map();
      this.#asks.set(key, takers);
    }
    takers.set(taker, (takers.get(taker) ?? 0) + items);
    const waitMs = this.#serve(key, takers);
    if (waitMs !== undefined) this.#wakeIn(waitMs);
  }

  /** What it has asked for and not got is nobody's wish any more; what it got is used up. */
  gone(taker: RateTaker): void {
    for (const [key, takers] of this.#asks) {
      takers.delete(taker);
      if (takers.size === 0) this.#asks.delete(key);
    }
  }

  /** Gives the time until there is more to give; undefined when nobody waits for it. */
  #serve(key: string, takers: Map<RateTaker, number>): number | undefined {
    const now = this.#env.clock.mono();
    for (;;) {
      const [next] = takers;
      if (next === undefined) {
        this.#asks.delete(key);
        return undefined;
      }
      const [taker, wanted] = next;
      const items = this.budget.take(key, wanted, now);
      if (items === 0) return this.budget.waitMs(key, now);
      // To the end of the row: others have their turn before it gets the rest.
      takers.delete(taker);
      if (wanted > items) takers.set(taker, wanted - items);
      taker.grant(key, items);
    }
  }

  #wakeIn(ms: number): void {
    // n.b. one timer for all keys; one that is due sooner brings it forward.
    const at = this.#env.clock.mono() + ms;
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#env.timers.after(Math.max(1, Math.ceil(ms)), () => {
      this.#timer = undefined;
      this.#serveAll();
    });
  }

  #timerAt = 0;

  #serveAll(): void {
    let soonest: number | undefined;
    for (const [key, takers] of this.#asks) {
      const waitMs = this.#serve(key, takers);
      if (waitMs !== undefined) soonest = Math.min(soonest ?? waitMs, waitMs);
    }
    this.budget.sweep(this.#env.clock.mono());
    if (soonest !== undefined) this.#wakeIn(soonest);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#asks.clear();
  }
}
