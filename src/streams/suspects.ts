import { isBefore, type Lane, type Slice } from "./lane.ts";

/** Items of a stage that were in hand when a process died, one by one, waiting to be run alone. */
export class Suspects {
  readonly #waiting: Slice[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  /** Adds one: as the next to be run, or behind the others, those of its own lane in order. */
  add(slice: Slice, isNext: boolean): void {
    const { lane } = slice.held;
    if (isNext) {
      this.#waiting.unshift(slice);
      return;
    }
    const later = this.#waiting.findIndex((other) => other.held.lane === lane && isBefore(slice, other));
    if (later < 0) this.#waiting.push(slice);
    else this.#waiting.splice(later, 0, slice);
  }

  /** The first of a lane. */
  firstOf(lane: Lane): Slice | undefined {
    return this.#waiting.find(({ held }) => held.lane === lane);
  }

  /** Takes the first that may be run now. */
  take(mayRun: (slice: Slice) => boolean): Slice | undefined {
    const at = this.#waiting.findIndex(mayRun);
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }
}
