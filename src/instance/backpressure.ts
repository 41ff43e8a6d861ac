import { capacitiesFedBy } from "../definition/capacities.ts";
import type { CapacityPolicy } from "../definition/pacing.ts";
import type { Definition } from "../definition/shape.ts";

/** What one producer may have on its way to a full stage: this share of its capacity, and one call's outputs. */
const AHEAD = 0.25;

/**
 * What keeps a producer from placing: stages downstream that are full, and, since it hears of that a moment late, a
 * bound on what it has placed and does not know as stored.
 */
export class Backpressure {
  readonly #stages: ReadonlySet<string>;
  readonly #mostItems: number;
  readonly #mostBytes: number;
  #isHeld = false;

  private constructor(capacities: ReadonlyMap<string, CapacityPolicy>) {
    this.#stages = new Set(capacities.keys());
    const least = (values: (number | undefined)[]): number =>
      Math.max(1, Math.floor(AHEAD * Math.min(...values.map((value) => value ?? Number.POSITIVE_INFINITY))));
    const policies = [...capacities.values()];
    this.#mostItems = least(policies.map(({ items }) => items));
    this.#mostBytes = least(policies.map(({ bytes }) => bytes));
  }

  /** Of a node's outputs; undefined when nothing of what it feeds has a capacity. */
  static of(definition: Definition, node: string): Backpressure | undefined {
    const nodes = [...definition.nodes.values()];
    const capacities = capacitiesFedBy({ nodes, edges: definition.edges }, node);
    return capacities.size === 0 ? undefined : new Backpressure(capacities);
  }

  /** These stages are full now, and no others. */
  full(stages: readonly string[]): void {
    this.#isHeld = stages.some((stage) => this.#stages.has(stage));
  }

  /** The connection is lost: whatever is full now will be said anew. */
  reset(): void {
    this.#isHeld = false;
  }

  /** Whether nothing may be placed, with so much on its way. */
  isHeld(itemsOnTheirWay: number, bytesOnTheirWay: number): boolean {
    return this.#isHeld || itemsOnTheirWay >= this.#mostItems || bytesOnTheirWay >= this.#mostBytes;
  }
}
