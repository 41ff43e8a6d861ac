import type { Env } from "../env/env.ts";

const EVERY_MS = 200;

/** Tells how far a source is, not oftener than people can see. */
export class Progress {
  readonly #env: Env;
  readonly #tell: (done: number, total: number) => void;
  readonly #total: number;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(env: Env, total: number, tell: (done: number, total: number) => void) {
    this.#env = env;
    this.#total = total;
    this.#tell = tell;
  }

  at(done: number): void {
    const now = this.#env.clock.mono();
    if (now - this.#toldAt < EVERY_MS && done < this.#total) return;
    this.#toldAt = now;
    // A file that grows while it is read is never beyond its end.
    this.#tell(done, Math.max(done, this.#total));
  }
}
