/** A set of whole numbers as sorted, disjoint half-open ranges: places of a frame's items. */
export class RangeSet {
  /** from, to, from, to … */
  readonly #bounds: number[] = [];
  #size = 0;

  static of(bounds: readonly number[]): RangeSet {
    const set = new RangeSet();
    for (let i = 0; i + 1 < bounds.length; i += 2) set.add(bounds[i] as number, bounds[i + 1] as number);
    return set;
  }

  get size(): number {
    return this.#size;
  }

  /** from, to, from, to …; not to be changed. */
  get bounds(): readonly number[] {
    return this.#bounds;
  }

  /** Adds the numbers from `from` to before `to`; gives how many were not in the set yet. */
  add(from: number, to: number): number {
    if (to <= from) return 0;
    const bounds = this.#bounds;
    // The usual case: items settle in order, so the range continues the last one.
    const last = bounds.length - 1;
    if (last < 0 || from > (bounds[last] as number)) {
      bounds.push(from, to);
      this.#size += to - from;
      return to - from;
    }
    if (from === bounds[last]) {
      bounds[last] = to;
      this.#size += to - from;
      return to - from;
    }
    let start = 0;
    while (start < bounds.length && (bounds[start + 1] as number) < from) start += 2;
    let end = start;
    let low = from;
    let high = to;
    let covered = 0;
    while (end < bounds.length && (bounds[end] as number) <= to) {
      low = Math.min(low, bounds[end] as number);
      high = Math.max(high, bounds[end + 1] as number);
      covered += (bounds[end + 1] as number) - (bounds[end] as number);
      end += 2;
    }
    bounds.splice(start, end - start, low, high);
    const added = high - low - covered;
    this.#size += added;
    return added;
  }

  /** Takes the numbers from `from` to before `to` away; gives how many were in the set. */
  remove(from: number, to: number): number {
    if (to <= from) return 0;
    const bounds = this.#bounds;
    let removed = 0;
    for (let i = 0; i < bounds.length; ) {
      const low = bounds[i] as number;
      const high = bounds[i + 1] as number;
      if (low >= to) break;
      if (high <= from) {
        i += 2;
        continue;
      }
      const keep: number[] = [];
      if (low < from) keep.push(low, from);
      if (high > to) keep.push(to, high);
      removed += Math.min(high, to) - Math.max(low, from);
      bounds.splice(i, 2, ...keep);
      i += keep.length;
    }
    this.#size -= removed;
    return removed;
  }

  /** True when there are numbers from `from` to before `to`, and all are in the set. */
  covers(from: number, to: number): boolean {
    if (to <= from) return false;
    const bounds = this.#bounds;
    for (let i = 0; i < bounds.length; i += 2) {
      if ((bounds[i] as number) <= from && to <= (bounds[i + 1] as number)) return true;
    }
    return false;
  }

  /** The ranges of 0 … `length` that are not in the set. */
  *gaps(length: number): Generator<[number, number]> {
    let at = 0;
    const bounds = this.#bounds;
    for (let i = 0; i < bounds.length; i += 2) {
      if ((bounds[i] as number) > at) yield [at, bounds[i] as number];
      at = bounds[i + 1] as number;
    }
    if (at < length) yield [at, length];
  }

  *ranges(): Generator<[number, number]> {
    const bounds = this.#bounds;
    for (let i = 0; i < bounds.length; i += 2) yield [bounds[i] as number, bounds[i + 1] as number];
  }
}
