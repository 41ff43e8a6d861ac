import { StageError } from "../errors.ts";
import type { Collected, Outputs } from "./outputs.ts";

/** Bytes that one call may give back: they travel in one transaction with the settlement of their input. */
const MAX_CALL_OUTPUT_BYTES = 32 * 1024 * 1024;

/** Outputs of a call that has not ended. */
export class Collector {
  readonly outputs: Collected[] = [];
  emitted = 0;
  readonly #outputs: Outputs;
  readonly #stage: string;
  #bytes = 0;

  constructor(outputs: Outputs, stage: string) {
    this.#outputs = outputs;
    this.#stage = stage;
    outputs.beginCollecting();
  }

  add(element: unknown): void {
    this.emitted++;
    const collected = this.#outputs.collect(element);
    if (collected === undefined) return;
    this.outputs.push(collected);
    this.#bytes += collected.bytes.byteLength;
    if (this.#bytes > MAX_CALL_OUTPUT_BYTES) {
      throw new StageError(
        "MR_CALL_OUTPUT_TOO_LARGE",
        `stage ${this.#stage}: one call gave back more than ${MAX_CALL_OUTPUT_BYTES} bytes; split the work into smaller items`,
        { scope: "item" },
      );
    }
  }

  close(): void {
    this.#outputs.endCollecting();
  }
}
