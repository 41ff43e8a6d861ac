import type { Env, Timer } from "../../env/env.ts";
import type { BrokerShelf } from "./broker-shelf.ts";
import type { SteadyBroker } from "./steady-broker.ts";

const LOOK_MS = 5_000;

/** How a stream was at the last look. */
interface Look {
  readonly session: unknown;
  readonly arrivals: number;
  /** The broker had nothing for us: frames that were missing then, and are still, have numbers up to this one. */
  readonly missingUpTo: number | undefined;
}

/**
 * Notices what a broker has lost: frames that the ledger names, while the queue holds nothing, nothing has come since
 * the last look, and nothing is on its way there. Looks twice, and never while a session is so young that what an
 * earlier one had in its hands may still come.
 */
export class LossWatch {
  readonly #env: Env;
  readonly #steady: SteadyBroker;
  readonly #shelves: ReadonlyMap<string, BrokerShelf>;
  readonly #onLost: (shelf: BrokerShelf, frames: readonly number[]) => Promise<void>;
  readonly #looks = new Map<BrokerShelf, Look>();
  #timer: Timer;
  #isClosed = false;

  constructor(
    env: Env,
    steady: SteadyBroker,
    shelves: ReadonlyMap<string, BrokerShelf>,
    onLost: (shelf: BrokerShelf, frames: readonly number[]) => Promise<void>,
  ) {
    this.#env = env;
    this.#steady = steady;
    this.#shelves = shelves;
    this.#onLost = onLost;
    this.#timer = this.#again();
  }

  #again(): Timer {
    return this.#env.timers.after(LOOK_MS, () => void this.#lookAtAll(), { background: true });
  }

  async #lookAtAll(): Promise<void> {
    for (const shelf of this.#shelves.values()) {
      if (this.#isClosed) return;
      await this.#look(shelf);
    }
    if (!this.#isClosed) this.#timer = this.#again();
  }

  async #look(shelf: BrokerShelf): Promise<void> {
    const { session, isSettled } = this.#steady;
    const { arrivals } = shelf;
    const before = this.#looks.get(shelf);
    const isQuiet = before?.session === session && before?.arrivals === arrivals;
    let missingUpTo: number | undefined;
    if (isSettled && isQuiet && shelf.missing > 0 && shelf.queue.unconfirmed === 0) {
      const waiting = await shelf.queue.waiting();
      if (waiting === 0 && shelf.arrivals === arrivals && this.#steady.session === session) {
        const missing = shelf.missingFrames();
        const last = before.missingUpTo;
        const lost = last === undefined ? [] : missing.filter((frame) => frame <= last);
        if (lost.length > 0) await this.#onLost(shelf, lost);
        else missingUpTo = missing.at(-1);
      }
    }
    this.#looks.set(shelf, { session, arrivals, missingUpTo });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.cancel();
  }
}
