/** Bytes of a key's digest. */
export const DIGEST_BYTES = 12;
const WORDS = 4;
const LEAST = 1_024;

/**
 * A set of digests with the moment at which each was added, in typed arrays: 16 bytes a key, at most two thirds
 * full. Digests are even by themselves, so that their first word is a good hash.
 */
export class KeyTable {
  #words = new Uint32Array(LEAST * WORDS);
  #capacity = LEAST;
  size = 0;

  /** The moment at which the digest was added, or undefined. */
  get(digest: Uint32Array): number | undefined {
    const at = this.#find(this.#words, digest[0] as number, digest[1] as number, digest[2] as number);
    const stored = this.#words[at + 3] as number;
    return stored === 0 ? undefined : stored - 1;
  }

  /** Adds a digest, or gives it another moment: a whole number below 2^32 - 1. */
  set(digest: Uint32Array, moment: number): void {
    if ((this.size + 1) * 3 > this.#capacity * 2) this.#grow();
    const at = this.#find(this.#words, digest[0] as number, digest[1] as number, digest[2] as number);
    if (this.#words[at + 3] === 0) {
      this.#words[at] = digest[0] as number;
      this.#words[at + 1] = digest[1] as number;
      this.#words[at + 2] = digest[2] as number;
      this.size++;
    }
    this.#words[at + 3] = moment + 1;
  }

  /** Where the digest is, or the free place where it belongs. */
  #find(words: Uint32Array, a: number, b: number, c: number): number {
    const mask = this.#capacity - 1;
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const at = slot * WORDS;
      if (words[at + 3] === 0) return at;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c) return at;
    }
  }

  #grow(): void {
    const old = this.#words;
    this.#capacity *= 2;
    this.#words = new Uint32Array(this.#capacity * WORDS);
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at + 3] === 0) continue;
      const to = this.#find(this.#words, old[at] as number, old[at + 1] as number, old[at + 2] as number);
      this.#words.set(old.subarray(at, at + WORDS), to);
    }
  }
}
