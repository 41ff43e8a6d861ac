import type { BreakerPolicy } from "../../definition/pacing.ts";
import type { Env, Timer } from "../../env/env.ts";

const FIRST_PROBE_MS = 1_000;
const LONGEST_PROBE_MS = 30_000;
/** A stage that was paused for so long is given up. */
export const GIVE_UP_MS = 300_000;
/** The last items are counted in so many parts. */
const PARTS = 10;

/** What instances of the stage are told: work, wait, or make one call to see whether it is better. */
export type BreakerState = "closed" | "open" | "probe";

export interface BreakerEvents {
  /** All instances of the stage are to be told. */
  onState(state: "closed" | "open", what: string): void;
  /** One instance is to be told to probe: another than the last time, if there is one. */
  onProbe(): void;
  /** It has been open for {@link GIVE_UP_MS}. */
  onGivenUp(what: string): void;
}

interface Part {
  items: number;
  failed: number;
}

/**
 * Pauses a stage when nearly all of its items fail: what is behind it is out of order, and calling on would only
 * bring its whole stream to the dead letters.
 *
 * B1 It opens when at least `after` items have been called since it closed, and of the last of them at least `share`
 *    failed.
 * B2 It closes when a probe has succeeded, and with nothing else.
 * B3 All instances of a stage are counted together: by transactions, not by items.
 */
export class Breaker {
  readonly #policy: BreakerPolicy;
  readonly #env: Env;
  readonly #events: BreakerEvents;
  #parts: Part[] = [];
  #openedAt: number | undefined;
  #waitMs = FIRST_PROBE_MS;
  #probe: Timer | undefined;
  #giveUp: Timer | undefined;

  constructor(env: Env, policy: BreakerPolicy, events: BreakerEvents) {
    this.#env = env;
    this.#policy = policy;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#openedAt !== undefined;
  }

  /** Calls of so many items have ended, so many of them badly. */
  count(items: number, failed: number): void {
    if (this.isOpen || items === 0) return;
    const { after, share } = this.#policy;
    const last = this.#parts.at(-1);
    if (last === undefined || last.items >= after / PARTS) this.#parts.push({ items, failed });
    else {
      last.items += items;
      last.failed += failed;
    }
    const sum = { items: 0, failed: 0 };
    for (const part of this.#parts) {
      sum.items += part.items;
      sum.failed += part.failed;
    }
    for (let first = this.#parts[0]; first !== undefined; first = this.#parts[0]) {
      if (sum.items - first.items < after) break;
      sum.items -= first.items;
      sum.failed -= first.failed;
      this.#parts.shift();
    }
    if (sum.items >= after && sum.failed >= sum.items * share) this.#open(sum);
  }

  #open({ items, failed }: Part): void {
    this.#openedAt = this.#env.clock.mono();
    this.#parts = [];
    this.#waitMs = FIRST_PROBE_MS;
    const what = `${failed} of the last ${items} items failed`;
    this.#giveUp = this.#env.timers.after(GIVE_UP_MS, () => this.#events.onGivenUp(what), {
      background: true,
    });
    this.#events.onState("open", what);
    this.#schedule();
  }

  #schedule(): void {
    this.#probe?.cancel();
    this.#probe = this.#env.timers.after(
      this.#waitMs,
      () => {
        // Nobody may answer: whoever was asked may die of it, or have nothing to try. Then it is another's turn.
        this.#waitMs = Math.min(LONGEST_PROBE_MS, this.#waitMs * 2);
        this.#schedule();
        this.#events.onProbe();
      },
      { background: true },
    );
  }

  /** A probe has ended. */
  probed(isGood: boolean): void {
    if (this.#openedAt === undefined) return;
    if (!isGood) {
      this.#schedule();
      return;
    }
    const seconds = Math.round((this.#env.clock.mono() - this.#openedAt) / 1_000);
    this.close();
    this.#openedAt = undefined;
    this.#events.onState("closed", `a call succeeded after ${seconds} s`);
  }

  close(): void {
    this.#probe?.cancel();
    this.#giveUp?.cancel();
  }
}
