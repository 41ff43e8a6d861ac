import type { Env } from "../env/env.ts";

/** Time after which a synchronous source lets I/O have its turn. */
const TURN_MS = 8;

/** Tells a loop without waits when it has gone on for long enough. */
export class Turns {
  readonly #env: Env;
  #until: number;
  #steps = 0;

  constructor(env: Env) {
    this.#env = env;
    this.#until = env.clock.mono() + TURN_MS;
  }

  /** To be asked at each step. */
  isOver(): boolean {
    return (++this.#steps & 15) === 0 && this.#env.clock.mono() > this.#until;
  }

  /** Resolves when I/O that is ready has been handled. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#env.timers.soon(resolve));
    this.#until = this.#env.clock.mono() + TURN_MS;
  }
}
