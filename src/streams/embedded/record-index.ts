import type { Location } from "./log.ts";
import { SortedKeys } from "./sorted-keys.ts";

/** Where the records of a log lie, by their keys. */
export class RecordIndex {
  readonly #locations = new Map<string, Location>();
  readonly #keys = new SortedKeys();

  get(key: string): Location | undefined {
    return this.#locations.get(key);
  }

  set(key: string, location: Location): void {
    if (!this.#locations.has(key)) this.#keys.add(key);
    this.#locations.set(key, location);
  }

  delete(key: string): void {
    if (this.#locations.delete(key)) this.#keys.delete(key);
  }

  /** Up to `limit` keys that start with `prefix`, after `cursor`, in order; and whether there are more. */
  page(prefix: string, cursor: string, limit: number): { keys: string[]; hasMore: boolean } {
    const keys: string[] = [];
    for (const key of this.#keys.startingAt(cursor > prefix ? cursor : prefix)) {
      if (!key.startsWith(prefix)) break;
      if (key === cursor) continue;
      if (keys.length === limit) return { keys, hasMore: true };
      keys.push(key);
    }
    return { keys, hasMore: false };
  }

  count(prefix: string): number {
    return this.#keys.count(prefix);
  }

  /** All of them, in no order. */
  [Symbol.iterator](): IterableIterator<[string, Location]> {
    return this.#locations[Symbol.iterator]();
  }
}
