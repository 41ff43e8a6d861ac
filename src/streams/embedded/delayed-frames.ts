import type { Env, Timer } from "../../env/env.ts";
import type { Ledger } from "./ledger.ts";

/** A system's timer does not count further. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Frames that wait for their time. */
export class DelayedFrames {
  readonly #env: Env;
  readonly #ledger: Ledger;
  readonly #onDue: (stream: string, frame: number) => void;
  readonly #timers = new Set<Timer>();

  constructor(env: Env, ledger: Ledger, onDue: (stream: string, frame: number) => void) {
    this.#env = env;
    this.#ledger = ledger;
    this.#onDue = onDue;
  }

  /** Those of a ledger that was just rebuilt: their time begins anew. */
  beginAnew(): void {
    for (const { name, index, delayed } of this.#ledger.streams.values()) {
      if (delayed === 0) continue;
      for (const frame of index.frames())
        if (index.delayOf(frame) > 0) this.add(name, frame, index.delayOf(frame));
    }
  }

  add(stream: string, frame: number, delayMs: number): void {
    const step = Math.min(delayMs, MAX_TIMER_MS);
    const timer = this.#env.timers.after(step, () => {
      this.#timers.delete(timer);
      if (delayMs > step) {
        this.add(stream, frame, delayMs - step);
        return;
      }
      this.#ledger.release(stream, frame);
      this.#onDue(stream, frame);
    });
    this.#timers.add(timer);
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}
