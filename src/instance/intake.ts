import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { DeliveredRange } from "../streams/protocol.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import type { Announcer } from "./announcer.ts";
import type { Caller } from "./caller.ts";
import { Groups } from "./groups.ts";
import type { InHand } from "./in-hand.ts";
import type { Parked, RateGate } from "./rate-gate.ts";
import { type ItemRef, WorkRange } from "./work.ts";

export interface IntakeParts {
  readonly env: Env;
  readonly node: NodeDefinition;
  /** Every item is called alone, whatever the stage's batches are. */
  readonly isAlone: boolean;
  readonly caller: Caller;
  readonly announcer: Announcer;
  readonly inHand: InHand;
  /** Of a stage with a `rate`. */
  readonly gate: RateGate | undefined;
  /** A part batch has waited long enough. */
  onReady(): void;
}

/** What was delivered and not called yet: single items in order, batches in the making. */
export class Intake {
  readonly #parts: IntakeParts;
  readonly #decoder = new ItemDecoder();
  readonly #groups: Groups | undefined;
  #queue: WorkRange[] = [];
  /** Calls made so far, and the items of the last. */
  calls = 0;
  callItems = 0;
  /** Items to be called once more, as they are. */
  #again: ItemRef[] = [];

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    const { batch } = parts.node.settings;
    this.#groups =
      batch === undefined || parts.isAlone
        ? undefined
        : new Groups(parts.env, batch.size, batch.withinMs, () => parts.onReady());
  }

  /** Takes a delivered range; gives the number of its items. */
  add(delivered: DeliveredRange, bytes: Buffer, epoch: number): number {
    const range = new WorkRange(delivered, bytes, this.#decoder, epoch);
    this.#queue.push(range);
    return range.count;
  }

  /** True when nothing is left that could be called or put into a batch. */
  get isDry(): boolean {
    return this.#queue.length === 0 && this.#again.length === 0 && this.#parts.gate?.hasReady !== true;
  }

  get hasWork(): boolean {
    return !this.isDry || this.#groups?.hasReady === true;
  }

  get hasReadyBatch(): boolean {
    return this.#groups?.hasReady === true;
  }

  /** Takes an item back that is to be called once more, as if it had not been called. */
  again(ref: ItemRef): void {
    this.#again.push(ref);
  }

  get hasBatches(): boolean {
    return this.#groups?.isEmpty === false;
  }

  /**
   * Makes one call, or a step towards one; false when there is nothing to do, or it must wait. With `prefersFresh`
   * items that are to be called again come last.
   */
  step(takesNew: boolean, prefersFresh = false): boolean {
    const group = this.#groups?.take();
    if (group !== undefined) {
      if (!this.#parts.announcer.begin(group.refs)) {
        // The announcement is stuck in a full socket: the batch goes first when there is room.
        this.#groups?.putBack(group);
        return false;
      }
      this.#call(group.refs, group.items);
      return true;
    }
    const { gate } = this.#parts;
    if (gate?.hasReady === true && takesNew) return this.#takeReady(gate);
    if (takesNew && this.#again.length > 0 && !(prefersFresh && this.#queue.length > 0))
      return this.#takeAgain();
    const range = this.#queue[0];
    if (range === undefined || !takesNew || !this.#takeFrom(range)) return false;
    if (range.isSpent) this.#queue.shift();
    return true;
  }

  /** Deals with the next item of a range; false when it must wait. */
  #takeFrom(range: WorkRange): boolean {
    const ref: ItemRef = { range, index: range.next };
    if (this.#parts.caller.failed.isJudged(ref)) {
      // `onFailed` is the user's code too.
      if (!this.#parts.announcer.begin([ref])) return false;
      range.next++;
      this.#parts.caller.failed.settleJudged(ref);
      return true;
    }
    const { gate } = this.#parts;
    if (gate !== undefined) {
      if (gate.isFull) return false;
      range.next++;
      this.#park(gate, ref);
      return true;
    }
    if (this.#groups !== undefined && range.failuresOf(ref.index) === 0) {
      range.next++;
      const decoded = this.#parts.caller.failed.decode(ref);
      if (decoded !== undefined) this.#group(this.#groups, ref, decoded.item);
      return true;
    }
    if (
      range.next >= range.begun &&
      !this.#parts.announcer.beginRange(range, this.#parts.caller.active === 0)
    )
      return false;
    range.next++;
    const decoded = this.#parts.caller.failed.decode(ref);
    // An item of a batch that failed before is called alone, so that it can fail nobody else again.
    if (decoded !== undefined) this.#call([ref], [decoded.item]);
    return true;
  }

  #call(refs: readonly ItemRef[], items: readonly unknown[]): void {
    this.calls++;
    this.callItems = refs.length;
    this.#parts.caller.call(refs, items);
  }

  #takeAgain(): boolean {
    const ref = this.#again[0] as ItemRef;
    const { gate, announcer, caller } = this.#parts;
    if (gate?.isFull === true || (gate === undefined && !announcer.begin([ref]))) return false;
    this.#again.shift();
    if (gate !== undefined) {
      this.#park(gate, ref);
      return true;
    }
    const decoded = caller.failed.decode(ref);
    if (decoded === undefined) return true;
    if (this.#groups !== undefined && ref.range.failuresOf(ref.index) === 0)
      this.#group(this.#groups, ref, decoded.item);
    else this.#call([ref], [decoded.item]);
    return true;
  }

  #group(groups: Groups, ref: ItemRef, item: unknown): void {
    const batchBy = this.#parts.node.batchBy as ((item: unknown) => unknown) | undefined;
    const key = this.#keyOf(ref, item, batchBy);
    if (key !== FAILED) groups.add(key, ref, item);
  }

  /** What a function of the user's makes of an item; when it throws, the item has failed. */
  #keyOf(ref: ItemRef, item: unknown, by: ((item: unknown) => unknown) | undefined): unknown {
    if (by === undefined) return undefined;
    this.#parts.inHand.enter([ref]);
    try {
      return by(item);
    } catch (error) {
      this.#parts.caller.failed.fail(ref, item, error, "error");
      return FAILED;
    } finally {
      this.#parts.inHand.leave();
    }
  }

  #park(gate: RateGate, ref: ItemRef): void {
    const decoded = this.#parts.caller.failed.decode(ref);
    if (decoded === undefined) return;
    const key = this.#keyOf(ref, decoded.item, (item) => gate.keyOf(item));
    if (key !== FAILED) gate.park(key as string, { ref, item: decoded.item });
  }

  /** Calls an item that has its part of the rate, or puts it into its batch. */
  #takeReady(gate: RateGate): boolean {
    const { ref, item } = gate.next() as Parked;
    if (this.#groups !== undefined && ref.range.failuresOf(ref.index) === 0)
      this.#group(this.#groups, ref, item);
    else if (this.#parts.announcer.begin([ref])) this.#call([ref], [item]);
    else return false;
    gate.shift();
    return true;
  }

  /** Part batches become ready: nothing more will come. */
  closeBatches(): void {
    this.#groups?.closeAll();
  }

  clear(): void {
    this.#queue = [];
    this.#again = [];
    this.#parts.gate?.clear();
    this.#groups?.clear();
  }
}

/** Instead of a key: the function that was to give it has thrown. */
const FAILED: unique symbol = Symbol("failed");
