import type { Definition } from "../definition/shape.ts";
import { Backpressure } from "./backpressure.ts";

/** Yielded and not confirmed: beyond this the source waits. */
const MAX_UNCONFIRMED_BYTES = 4 * 1024 * 1024;

/** Whether a source may be asked for its next item: it is not paused, not too far ahead, and there is room behind it. */
export class SourceGate {
  readonly #backpressure: Backpressure | undefined;
  #isDiskLow = false;
  isPaused = false;

  constructor(definition: Definition, source: string) {
    this.#backpressure = Backpressure.of(definition, source);
  }

  /** What the streams process has said. */
  full(stages: readonly string[], isDiskLow: boolean): void {
    this.#isDiskLow = isDiskLow;
    this.#backpressure?.full(stages);
  }

  /** The connection was lost: it will be said anew. */
  reset(): void {
    this.#isDiskLow = false;
    this.#backpressure?.reset();
  }

  /** `bytes`: yielded and not confirmed; `outputs`: how many of them are on their way. */
  isShut(bytes: number, outputs: number, isStopping: boolean): boolean {
    if (bytes > MAX_UNCONFIRMED_BYTES) return true;
    // n.b. one that is being stopped looks for a good place to end at, not for room.
    if (isStopping || this.isPaused || this.#isDiskLow) return !isStopping;
    return this.#backpressure?.isHeld(outputs, bytes) === true;
  }
}
