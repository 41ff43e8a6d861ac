import type { NodeDefinition } from "../definition/shape.ts";
import type { StreamConnection } from "../streams/connection.ts";
import { MESSAGE } from "../streams/protocol.ts";
import type { Credit } from "./credit.ts";
import { userKey } from "./user-key.ts";
import type { ItemRef } from "./work.ts";

/** Items of keys that are over their limit, waiting beside the others: so far a key can be overtaken. */
const MAX_PARKED = 1_024;
/** Of one key so much work is asked for at once: what is granted is begun at once. */
const AHEAD_MS = 10;

/** An item that waits for its part of the budget, or has it. */
export interface Parked {
  readonly ref: ItemRef;
  readonly item: unknown;
}

interface Row {
  readonly waiting: Parked[];
  asked: number;
}

/**
 * Where the items of a stage with a `rate` wait until they may be begun. The budget is that of all instances: the
 * streams process has it. What is granted to this instance and not used when it dies is lost to all: so it asks
 * for no more than it begins at once.
 */
export class RateGate {
  readonly #node: NodeDefinition;
  readonly #credit: Credit;
  readonly #slots: () => number;
  readonly #connection: () => StreamConnection | undefined;
  readonly #rows = new Map<string, Row>();
  #ready: Parked[] = [];

  constructor(
    node: NodeDefinition,
    credit: Credit,
    slots: () => number,
    connection: () => StreamConnection | undefined,
  ) {
    this.#node = node;
    this.#credit = credit;
    this.#slots = slots;
    this.#connection = connection;
  }

  /** The key of an item. Throws what `rate.by` throws, StageError MR_BAD_RETURN when it gives back no text. */
  keyOf(item: unknown): string {
    const by = this.#node.rateBy as ((item: unknown) => unknown) | undefined;
    return by === undefined ? "" : userKey(`stage ${this.#node.name}: its rate.by`, by(item));
  }

  /** Items of one key that are worth asking for. */
  get #worth(): number {
    const { costMs } = this.#credit;
    const quick = costMs > 0 ? Math.floor(AHEAD_MS / costMs) : 1;
    return Math.min(MAX_PARKED, Math.max(this.#slots(), quick));
  }

  /** Whether no more items can be looked at until one of these may go. */
  get isFull(): boolean {
    return this.#credit.parked >= (this.#node.rateBy === undefined ? this.#worth : MAX_PARKED);
  }

  get isEmpty(): boolean {
    return this.#credit.parked === 0 && this.#ready.length === 0;
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  park(key: string, parked: Parked): void {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { waiting: [], asked: 0 };
      this.#rows.set(key, row);
    }
    row.waiting.push(parked);
    this.#credit.parked++;
  }

  /** Asks for what waits and has not been asked for. */
  ask(): void {
    const connection = this.#connection();
    if (connection === undefined || this.#rows.size === 0) return;
    const worth = this.#worth;
    const asks: [string, number][] = [];
    for (const [key, row] of this.#rows) {
      const more = Math.min(row.waiting.length, worth) - row.asked;
      // Not for every single one: when half of it is used, the rest is asked for again.
      if (more <= 0 || (row.asked > 0 && row.asked * 2 > worth)) continue;
      row.asked += more;
      asks.push([key, more]);
    }
    if (asks.length > 0) connection.send(MESSAGE.take, { asks });
  }

  granted(grants: readonly (readonly [string, number])[]): void {
    for (const [key, items] of grants) {
      const row = this.#rows.get(key);
      if (row === undefined) continue;
      row.asked -= items;
      for (const parked of row.waiting.splice(0, items)) {
        this.#ready.push(parked);
        this.#credit.parked--;
      }
      if (row.waiting.length === 0 && row.asked <= 0) this.#rows.delete(key);
    }
  }

  /** The next item that may be begun. */
  next(): Parked | undefined {
    return this.#ready[0];
  }

  /** It has been begun. */
  shift(): void {
    this.#ready.shift();
  }

  clear(): void {
    this.#rows.clear();
    this.#ready = [];
    this.#credit.parked = 0;
  }
}
