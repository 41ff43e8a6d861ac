import type { Item } from "./item.ts";

/** What the last stage of a chain has seen. `total` is the sum of prices over distinct items. */
export interface ArrivalReport {
  readonly distinct: number;
  readonly repeats: number;
  readonly total: number;
  /** Wall clock of the last new item, milliseconds since 1970. */
  readonly lastAt: number;
}

/** Checks off every item by its number; kept cheap, since it runs in the sink of both systems. */
export class Arrivals {
  readonly #seen: Uint8Array;
  #distinct = 0;
  #repeats = 0;
  #total = 0;
  #lastAt = 0;

  constructor(items: number) {
    this.#seen = new Uint8Array(items);
  }

  /** True when this was the last one missing. */
  note(item: Item): boolean {
    if (this.#seen[item.id] !== 0) {
      this.#repeats++;
      return false;
    }
    this.#seen[item.id] = 1;
    this.#total += item.price;
    if (++this.#distinct < this.#seen.length) return false;
    this.#lastAt = Date.now();
    return true;
  }

  report(): ArrivalReport {
    return { distinct: this.#distinct, repeats: this.#repeats, total: this.#total, lastAt: this.#lastAt };
  }
}
