export interface Summary {
  readonly words: number;
  readonly distinct: number;
  /** Of all words and their counts; equal for equal totals. */
  readonly check: number;
}

/** Adds counts of words up. What makes the result, on every side. */
export class Totals {
  readonly counts: Map<string, number>;

  constructor(counts = new Map<string, number>()) {
    this.counts = counts;
  }

  add(part: Iterable<readonly [string, number]>): void {
    const { counts } = this;
    for (const [word, count] of part) counts.set(word, (counts.get(word) ?? 0) + count);
  }

  summary(): Summary {
    let words = 0;
    let check = 0;
    for (const [word, count] of this.counts) {
      words += count;
      let hash = count;
      for (let i = 0; i < word.length; i++) hash = (Math.imul(hash, 31) + word.charCodeAt(i)) | 0;
      check = (check + hash) | 0;
    }
    return { words, distinct: this.counts.size, check };
  }
}
