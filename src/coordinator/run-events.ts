import type { RunEvent, RunHappening } from "../definition/run-event.ts";
import type { Clock } from "../env/env.ts";

/** Tells whoever listens what happens in a run. */
export class RunEvents {
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: RunEvent) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls with what happens from now on, until the function that it gives is called. */
  listen(listener: (event: RunEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(happening: RunHappening): void {
    const event = { ...happening, at: this.#clock.now() };
    for (const listener of this.#listeners) listener(event);
  }
}
