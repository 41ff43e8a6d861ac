/** Stages that are not to be completed for now, because something is being put on their streams by hand. */
export class Holds {
  readonly #counts = new Map<string, number>();
  /** Grows with every hold and its end: what was seen before and after with the same number was seen in between. */
  changes = 0;

  get held(): ReadonlySet<string> {
    return new Set(this.#counts.keys());
  }

  has(stage: string): boolean {
    return this.#counts.has(stage);
  }

  /** Holds a stage until what it gives is called. */
  hold(stage: string): () => void {
    this.#counts.set(stage, (this.#counts.get(stage) ?? 0) + 1);
    this.changes++;
    return () => {
      const left = (this.#counts.get(stage) ?? 1) - 1;
      if (left === 0) this.#counts.delete(stage);
      else this.#counts.set(stage, left);
      this.changes++;
    };
  }
}
