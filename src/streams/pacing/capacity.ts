import type { CapacityPolicy } from "../../definition/pacing.ts";

/** A stage that was full takes items again when no more than this share of its capacity waits. */
const LOW = 0.8;

/** What waits on a stage's stream, delayed and in hand included. */
export interface Waiting {
  readonly unsettled: number;
  readonly bytes: number;
}

/** Which stages have as much waiting as they may. */
export class Capacity {
  readonly #policies = new Map<string, CapacityPolicy>();
  readonly #full = new Set<string>();

  set(stage: string, policy: CapacityPolicy): void {
    this.#policies.set(stage, policy);
  }

  get stages(): Iterable<string> {
    return this.#policies.keys();
  }

  get isUnlimited(): boolean {
    return this.#policies.size === 0;
  }

  /** Looks at a stage again; tells whether it has become full, or is no longer. */
  weigh(stage: string, waiting: Waiting): boolean {
    const policy = this.#policies.get(stage);
    if (policy === undefined) return false;
    const wasFull = this.#full.has(stage);
    const share = Math.max(
      policy.items === undefined ? 0 : waiting.unsettled / policy.items,
      policy.bytes === undefined ? 0 : waiting.bytes / policy.bytes,
    );
    // n.b. one that holds a single item is full with it, and empty without.
    const isFull = wasFull ? share > LOW && waiting.unsettled > 0 : share >= 1;
    if (isFull === wasFull) return false;
    if (isFull) this.#full.add(stage);
    else this.#full.delete(stage);
    return true;
  }

  isFull(stage: string): boolean {
    return this.#full.has(stage);
  }

  get full(): readonly string[] {
    return [...this.#full];
  }
}
