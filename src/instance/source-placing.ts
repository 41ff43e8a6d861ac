import { EncodingError } from "../errors.ts";
import type { Outputs } from "./outputs.ts";

/** As a circuit breaker: an edge that always throws must not turn all that a source gives into dead letters. */
const MAX_REFUSED_IN_A_ROW = 100;

/**
 * Places what a source gives. An edge that throws - its `when`, or its stage's `orderBy`, `priority` or `dedupe.by` - fails
 * the item for the stage that it leads to: there is no call that could fail in its place.
 */
export class SourcePlacing {
  readonly #outputs: Outputs;
  #refusedInARow = 0;

  constructor(outputs: Outputs) {
    this.#outputs = outputs;
  }

  /** An edge has thrown for the item that was placed last. */
  get isRefusing(): boolean {
    return this.#refusedInARow > 0;
  }

  /** Throws EncodingError, and what the edges throw when they have thrown a hundred times in a row. */
  place(item: unknown): void {
    try {
      this.#outputs.place(item);
      this.#refusedInARow = 0;
    } catch (error) {
      // What cannot be stored cannot be a dead letter.
      if (error instanceof EncodingError || this.#refusedInARow >= MAX_REFUSED_IN_A_ROW) throw error;
      this.#refusedInARow = this.#outputs.placeAnyhow(item) ? this.#refusedInARow + 1 : 0;
    }
  }
}
