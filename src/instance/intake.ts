import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { DeliveredRange } from "../streams/protocol.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import type { Announcer } from "./announcer.ts";
import type { Caller } from "./caller.ts";
import { type Group, Groups } from "./groups.ts";
import type { InHand } from "./in-hand.ts";
import type { KeyOrder } from "./key-order.ts";
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
  /** Of a stage with `orderBy`. */
  readonly keys: KeyOrder | undefined;
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
    const { gate, keys } = this.#parts;
    const isEmpty = this.#queue.length === 0 && this.#again.length === 0;
    return isEmpty && gate?.hasReady !== true && keys?.hasReady !== true;
  }

  get hasWork(): boolean {
    return !this.isDry || this.#groups?.hasReady === true;
  }

  get hasReadyBatch(): boolean {
    return this.#groups?.hasReady === true;
  }

  /** Takes an item back that is to be called once more, as if it had not been called. */
  again(ref: ItemRef): void {
    const { keys } = this.#parts;
    // n.b. where order is kept it is the next of its key.
    if (keys === undefined) this.#again.push(ref);
    else keys.hold(ref, 0);
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
    if (!takesNew) return false;
    const { gate, keys } = this.#parts;
    if (gate?.hasReady === true) return this.#takeReady(gate);
    if (!prefersFresh || this.#queue.length === 0) {
      if (this.#again.length > 0) return this.#takeAgain();
      const waited = keys?.next();
      if (waited !== undefined) return this.#proceed(waited, false);
    }
    const range = this.#queue[0];
    if (range === undefined || !this.#takeFrom(range)) return false;
    if (range.isSpent) this.#queue.shift();
    return true;
  }

  /** Deals with the next item of a range; false when it must wait. */
  #takeFrom(range: WorkRange): boolean {
    const ref: ItemRef = { range, index: range.next };
    const { keys } = this.#parts;
    if (keys === undefined || keys.mayPass(ref) || keys.mayPass(ref, this.#openGroupOf(ref)))
      return this.#proceed(ref, true);
    range.next++;
    keys.park(ref);
    return true;
  }

  /** Deals with an item, the next one of its range or (not `isNext`) one that has waited; false when it must wait. */
  #proceed(ref: ItemRef, isNext: boolean): boolean {
    const { range } = ref;
    const { announcer, caller, gate, keys } = this.#parts;
    if (caller.failed.isJudged(ref)) {
      // `onFailed` is the user's code too.
      if (!announcer.begin([ref])) return false;
      this.#leaveQueue(ref, isNext);
      caller.failed.settleJudged(ref);
      keys?.leave([ref]);
      return true;
    }
    if (gate !== undefined) {
      if (gate.isFull) return false;
      this.#leaveQueue(ref, isNext);
      this.#park(gate, ref);
      return true;
    }
    if (this.#groups !== undefined && range.failuresOf(ref.index) === 0) {
      this.#leaveQueue(ref, isNext);
      const decoded = this.#decode(ref);
      if (decoded !== undefined) this.#group(this.#groups, ref, decoded.item);
      return true;
    }
    const isBegun = isNext
      ? range.next < range.begun || announcer.beginRange(range, caller.active === 0)
      : announcer.begin([ref]);
    if (!isBegun) return false;
    this.#leaveQueue(ref, isNext);
    const decoded = this.#decode(ref);
    // An item of a batch that failed before is called alone, so that it can fail nobody else again.
    if (decoded !== undefined) this.#call([ref], [decoded.item]);
    return true;
  }

  /** The lone item that counts as begun since it was handed out, and is not called after all: its place. */
  takeBack(): readonly [frame: number, from: number, to: number] | undefined {
    const [range] = this.#queue;
    if (range === undefined || range.count > 1 || range.next >= range.begun) return undefined;
    range.begun = range.next;
    return [range.number, range.offset, range.offset + 1];
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

  #leaveQueue({ range }: ItemRef, isNext: boolean): void {
    const { keys } = this.#parts;
    if (!isNext) keys?.shift();
    else {
      keys?.pass({ range, index: range.next });
      range.next++;
    }
  }

  #decode(ref: ItemRef): { item: unknown } | undefined {
    const decoded = this.#parts.caller.failed.decode(ref);
    if (decoded === undefined) this.#parts.keys?.leave([ref]);
    return decoded;
  }

  /** The part batch that an item will join, if it can be told without harm. */
  #openGroupOf(ref: ItemRef): Group | undefined {
    const { gate, caller, node } = this.#parts;
    const groups = this.#groups;
    if (groups === undefined || gate !== undefined || ref.range.failuresOf(ref.index) > 0) return undefined;
    if (caller.failed.isJudged(ref)) return undefined;
    const by = node.batchBy as ((item: unknown) => unknown) | undefined;
    try {
      return groups.openFor(by?.(ref.range.item(ref.index)));
    } catch {
      // It fails when its turn has come.
      return undefined;
    }
  }

  #group(groups: Groups, ref: ItemRef, item: unknown): void {
    const batchBy = this.#parts.node.batchBy as ((item: unknown) => unknown) | undefined;
    const key = this.#keyOf(ref, item, batchBy);
    if (key === FAILED) return;
    const group = groups.add(key, ref, item);
    this.#parts.keys?.joined(ref, group);
  }

  /** What a function of the user's makes of an item; when it throws, the item has failed. */
  #keyOf(ref: ItemRef, item: unknown, by: ((item: unknown) => unknown) | undefined): unknown {
    if (by === undefined) return undefined;
    this.#parts.inHand.enter([ref]);
    try {
      return by(item);
    } catch (error) {
      this.#parts.caller.failed.fail(ref, item, error, "error");
      this.#parts.keys?.leave([ref]);
      return FAILED;
    } finally {
      this.#parts.inHand.leave();
    }
  }

  #park(gate: RateGate, ref: ItemRef): void {
    const decoded = this.#decode(ref);
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
    this.#parts.keys?.lost();
    this.#groups?.clear();
  }
}

/** Instead of a key: the function that was to give it has thrown. */
const FAILED: unique symbol = Symbol("failed");
