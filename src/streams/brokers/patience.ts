import type { Env, Timer } from "../../env/env.ts";

/** So long is waited for a frame that should have come before those that have. */
export const PATIENCE_MS = 60_000;

/** The wait for one frame that is late. */
export class Patience {
  readonly #env: Env;
  readonly #isSettled: () => boolean;
  readonly #onOver: (frame: number) => void;
  #frame: number | undefined;
  #timer: Timer | undefined;

  /** No wait is over before `isSettled`: the broker is away, or has not handed out again what it did before. */
  constructor(env: Env, isSettled: () => boolean, onOver: (frame: number) => void) {
    this.#env = env;
    this.#isSettled = isSettled;
    this.#onOver = onOver;
  }

  /** The frame that is waited for. */
  get frame(): number | undefined {
    return this.#frame;
  }

  waitFor(frame: number): void {
    if (this.#frame === frame) return;
    this.end();
    this.#begin(frame);
  }

  #begin(frame: number): void {
    this.#frame = frame;
    this.#timer = this.#env.timers.after(
      PATIENCE_MS,
      () => {
        if (!this.#isSettled()) {
          this.#begin(frame);
          return;
        }
        this.#frame = undefined;
        this.#onOver(frame);
      },
      { background: true },
    );
  }

  end(): void {
    this.#frame = undefined;
    this.#timer?.cancel();
  }
}
