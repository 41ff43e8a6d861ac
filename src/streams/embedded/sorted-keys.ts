/** Keys of one chunk; beyond, it is cut in two. */
const CHUNK = 512;

/**
 * A set of texts in the order of their code units, kept in short sorted chunks: adding, removing and finding a
 * place look at a handful of keys, whatever their number.
 */
export class SortedKeys {
  readonly #chunks: string[][] = [];
  readonly #isBefore: (a: string, b: string) => boolean;

  /** `isBefore` is for counting what is looked at. */
  constructor(isBefore: (a: string, b: string) => boolean = (a, b) => a < b) {
    this.#isBefore = isBefore;
  }

  /** Adds a key that is not there. */
  add(key: string): void {
    const last = this.#chunks.length - 1;
    if (last < 0) {
      this.#chunks.push([key]);
      return;
    }
    const { chunk, place } = this.#find(key);
    const at = Math.min(chunk, last);
    const keys = this.#chunks[at] as string[];
    keys.splice(chunk > last ? keys.length : place, 0, key);
    if (keys.length > CHUNK) this.#chunks.splice(at + 1, 0, keys.splice(CHUNK / 2));
  }

  /** Removes a key that is there. */
  delete(key: string): void {
    const { chunk, place } = this.#find(key);
    const keys = this.#chunks[chunk];
    if (keys?.[place] !== key) return;
    keys.splice(place, 1);
    if (keys.length === 0) this.#chunks.splice(chunk, 1);
  }

  /** The keys from `from` on, in order; to be used up before anything is added or removed. */
  *startingAt(from: string): Generator<string> {
    let { chunk, place } = this.#find(from);
    for (; chunk < this.#chunks.length; chunk++, place = 0) {
      const keys = this.#chunks[chunk] as string[];
      for (; place < keys.length; place++) yield keys[place] as string;
    }
  }

  /** Number of keys that start with `prefix`. */
  count(prefix: string): number {
    const start = this.#find(prefix);
    const end = prefix === "" ? { chunk: this.#chunks.length, place: 0 } : this.#find(after(prefix));
    let count = end.place - start.place;
    for (let chunk = start.chunk; chunk < end.chunk; chunk++) count += this.#chunks[chunk]?.length ?? 0;
    return count;
  }

  /** Where `key` is, or would be: the first place whose key is not before it. */
  #find(key: string): { chunk: number; place: number } {
    const chunk = firstOf(this.#chunks.length, (at) => {
      const keys = this.#chunks[at] as string[];
      return !this.#isBefore(keys[keys.length - 1] as string, key);
    });
    const keys = this.#chunks[chunk] ?? [];
    return { chunk, place: firstOf(keys.length, (at) => !this.#isBefore(keys[at] as string, key)) };
  }
}

/** The first of `length` places for which `holds`, which holds for all after it; `length` when there is none. */
function firstOf(length: number, holds: (place: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first text after all that start with `prefix`. */
function after(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
