/** How long ago weighs a third of now. */
const MEMORY_MS = 5_000;

/** A smoothed rate of something that is counted: what is recent weighs more, and the beginning is not biased. */
export class Rate {
  #seconds = 0;
  #amount = 0;
  #sinceMs: number | undefined;
  #hasMoved = false;
  #last: { readonly atMs: number; readonly value: number } | undefined;

  /** What has been counted so far, at a monotonic time. */
  note(atMs: number, value: number): void {
    const last = this.#last;
    this.#last = { atMs, value };
    this.#sinceMs ??= atMs;
    if (last !== undefined && value > last.value) this.#hasMoved = true;
    if (last === undefined || atMs <= last.atMs) return;
    const keep = Math.exp(-(atMs - last.atMs) / MEMORY_MS);
    this.#amount = this.#amount * keep + Math.max(0, value - last.value);
    this.#seconds = this.#seconds * keep + (atMs - last.atMs) / 1_000;
  }

  /** Undefined as long as it may only be that nothing has begun yet. */
  get perSecond(): number | undefined {
    const isEarly = (this.#last?.atMs ?? 0) - (this.#sinceMs ?? 0) < MEMORY_MS;
    if (this.#seconds === 0 || (isEarly && !this.#hasMoved)) return undefined;
    return this.#amount / this.#seconds;
  }
}
