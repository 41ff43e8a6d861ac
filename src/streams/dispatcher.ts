import { CorruptionError } from "../errors.ts";
import { type ClaimedRange, type Consumer, claimedItems } from "./consumer.ts";
import type { Deliveries, Delivery, Mark } from "./contract.ts";
import { forgiven, isSuspect } from "./item-marks.ts";
import { type HeldFrame, isBefore, Lane, type Slice } from "./lane.ts";
import { LaneOwners } from "./lane-owners.ts";
import { evenPlan, type LanePlan, LaneWeights } from "./lane-plan.ts";
import { handleOf, streamOf } from "./lanes.ts";
import { Parcel } from "./parcel.ts";
import type { CreditHead } from "./protocol.ts";
import { Suspects } from "./suspects.ts";

export interface DispatcherOptions {
  readonly stage: string;
  /** Partitions of a stage with `orderBy`; 0 where order is not kept. */
  readonly partitions: number;
  /** Instances that may have calls of this stage running from before this process. */
  readonly former?: readonly string[];
  /** Items whose fate was decided before this process get one more chance. */
  readonly isForgiving?: boolean;
  consume(stream: string, onDelivery: (delivery: Delivery) => void): Deliveries;
  onSuspects(count: number): void;
}

/**
 * Shares out one stage's items among its instances.
 *
 * D1 An item is in exactly one place: the engine, the shelf, the suspects, one consumer's claims, or settled.
 * D2 A consumer settles only what it has claimed.
 * D3 A suspect is given to a suspect instance, alone; everything else to workers.
 * D4 Where order is kept, the items of a lane are given out in its order: a suspect only when all before it is
 *    settled, and what comes after a suspect only when that is.
 */
export class Dispatcher {
  readonly stage: string;
  readonly consumers = new Set<Consumer>();
  /** Where order is kept: who has which lane. */
  readonly owners: LaneOwners | undefined;
  readonly #options: DispatcherOptions;
  readonly #lanes: Lane[] = [];
  readonly #weights = new LaneWeights();
  readonly #held = new Map<number, HeldFrame>();
  readonly #suspects = new Suspects();
  #turn = 0;
  #isDispatching = false;
  #again = false;

  constructor(options: DispatcherOptions) {
    const { stage, partitions } = options;
    this.stage = stage;
    this.#options = options;
    const first = Array.from({ length: Math.max(1, partitions) }, (_, number) => this.#newLane(number));
    if (partitions > 0) this.owners = new LaneOwners(first, options.former);
    for (const lane of first) this.#open(lane);
  }

  #newLane(number: number): Lane {
    const lane = new Lane(number);
    this.#lanes.push(lane);
    return lane;
  }

  #open(lane: Lane): void {
    const { consume } = this.#options;
    lane.open(consume(streamOf(this.stage, lane.number), (delivery) => this.#take(lane, delivery)));
  }

  get partitions(): number {
    return this.#options.partitions;
  }

  /** Begins to hand out a lane, if it does not yet: that of a priority has no use before its first item. */
  openLane(number: number): void {
    if (this.#lanes.some((lane) => lane.number === number)) return;
    this.#open(this.#newLane(number));
    this.dispatch();
  }

  /** Suspects that wait for, or run on, a suspect instance. */
  get suspects(): number {
    let count = this.#suspects.size;
    for (const consumer of this.consumers) if (consumer.role === "suspect") count += claimedItems(consumer);
    return count;
  }

  get claimed(): number {
    let count = 0;
    for (const consumer of this.consumers) count += claimedItems(consumer);
    return count;
  }

  /** A consumer has come, or goes on as another than it was. */
  join(consumer: Consumer): void {
    this.consumers.add(consumer);
    this.owners?.assign(this.consumers);
  }

  leave(consumer: Consumer): void {
    this.consumers.delete(consumer);
    this.owners?.assign(this.consumers);
    this.dispatch();
  }

  /** A consumer can take more; or this was the last, and what was to come to it goes to others. */
  credit(consumer: Consumer, { items, isLast }: CreditHead): void {
    if (!Number.isSafeInteger(items) || items < 0) {
      throw new CorruptionError("MR_PROTOCOL", `stream connection: a credit of ${items} items`);
    }
    consumer.credit += items;
    if (isLast === true) {
      consumer.isLeaving = true;
      this.owners?.assign(this.consumers);
    }
    this.dispatch();
  }

  /** Calls of these lanes that outlived their connection have ended. */
  freed(instance: string, lanes: readonly number[]): void {
    this.owners?.free(instance, lanes);
    this.dispatch();
  }

  /** The instance's process has ended. */
  ended(instance: string): void {
    if (this.owners === undefined) return;
    this.owners.forget(instance);
    this.dispatch();
  }

  #take(lane: Lane, delivery: Delivery): void {
    // n.b. a frame may come twice: when an item of it was put back by the engine. It is held once.
    const handle = handleOf(lane.number, delivery.frame);
    const held = this.#held.get(handle) ?? {
      handle,
      lane,
      frame: delivery.content,
      marks: this.#options.isForgiving === true ? forgiven(delivery.marks) : new Map(delivery.marks),
      left: 0,
    };
    this.#held.set(handle, held);
    for (const [from, to] of delivery.pending) {
      held.left += to - from;
      lane.arrived(to - from);
      this.#place(held, from, to);
    }
    this.dispatch();
  }

  /** Puts items where they belong by their marks. */
  #place(held: HeldFrame, from: number, to: number, isNextSuspect = false): void {
    let start = from;
    const shelve = (until: number): void => {
      if (until > start) held.lane.insert({ held, from: start, to: until });
    };
    let hasSuspects = false;
    if (held.marks.size > 0) {
      for (let place = from; place < to; place++) {
        const mark = held.marks.get(place);
        if (mark === undefined || !isSuspect(mark)) continue;
        shelve(place);
        start = place + 1;
        this.#suspects.add({ held, from: place, to: place + 1 }, isNextSuspect);
        hasSuspects = true;
      }
    }
    shelve(to);
    if (hasSuspects) this.#options.onSuspects(this.suspects);
  }

  /** Gives out what there is for as long as somebody may take it. */
  dispatch(): void {
    // n.b. an engine that is asked for items may deliver them at once, from within.
    this.#again = true;
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    while (this.#again) {
      this.#again = false;
      this.#dispatchSuspects();
      const takers = [...this.consumers].filter(
        ({ role, credit, isLeaving }) => role === "worker" && credit > 0 && !isLeaving,
      );
      if (takers.length === 0) continue;
      if (this.owners === undefined) this.#shareAny(takers);
      else this.#shareOwned(takers, this.owners);
      this.#turn++;
    }
    this.#isDispatching = false;
  }

  /** Everybody may have everything: the shelf is shared out evenly. */
  #shareAny(takers: readonly Consumer[]): void {
    let credit = 0;
    for (const consumer of takers) credit += consumer.credit;
    let items = 0;
    for (const lane of this.#lanes) {
      lane.want(credit);
      items += lane.items;
    }
    if (items === 0) return;
    const share = Math.max(1, Math.ceil(items / takers.length));
    for (let i = 0; i < takers.length && items > 0; i++) {
      const consumer = takers[(this.#turn + i) % takers.length] as Consumer;
      const most = Math.min(consumer.credit, share, items);
      items -= this.#give(consumer, this.#weights.plan(this.#lanes, most));
    }
    if (items > 0 && takers.some((consumer) => consumer.credit > 0)) this.#again = true;
  }

  /** Everybody has lanes of his own, and a bound on what may be out of each. */
  #shareOwned(takers: readonly Consumer[], owners: LaneOwners): void {
    for (const consumer of takers) {
      const lanes = owners.lanesOf(consumer).filter((lane) => owners.mayGive(lane, consumer));
      for (const lane of lanes) lane.want(Math.min(consumer.credit, owners.roomIn(lane)));
      const ready = lanes
        .map((lane) => [lane, Math.min(owners.roomIn(lane), this.#readyIn(lane))] as const)
        .filter(([, items]) => items > 0);
      if (ready.length === 0) continue;
      const given = this.#give(consumer, evenPlan(ready, consumer.credit, this.#turn));
      if (given > 0 && consumer.credit > 0) this.#again = true;
    }
  }

  #readyIn(lane: Lane): number {
    const suspect = this.#suspects.size === 0 ? undefined : this.#suspects.firstOf(lane);
    return suspect === undefined ? lane.items : lane.itemsBefore(suspect);
  }

  /** Gives a consumer what was planned, as far as it is there; tells how many items that are. */
  #give(consumer: Consumer, plan: LanePlan): number {
    const parcel = new Parcel(consumer);
    for (const [lane, items] of plan) {
      for (let left = items; left > 0; ) {
        const slice = lane.take(left);
        if (slice === undefined) break;
        parcel.add(slice);
        left -= slice.to - slice.from;
        if (this.owners?.roomIn(lane) === 0) break;
      }
    }
    parcel.send();
    return parcel.items;
  }

  #dispatchSuspects(): void {
    if (this.#suspects.size === 0) return;
    for (const consumer of this.consumers) {
      if (consumer.role !== "suspect" || consumer.credit <= 0 || consumer.claims.size > 0) continue;
      const slice = this.#suspects.take((waiting) => this.#mayRun(waiting, consumer));
      if (slice === undefined) return;
      consumer.handed++;
      const parcel = new Parcel(consumer);
      parcel.add(slice);
      parcel.send();
    }
  }

  #mayRun(suspect: Slice, consumer: Consumer): boolean {
    if (this.owners === undefined) return true;
    const { lane } = suspect.held;
    if (lane.out > 0 || !this.owners.mayGive(lane, consumer)) return false;
    return lane.first === undefined || isBefore(suspect, lane.first);
  }

  /** The engine has settled it. */
  settled(ranges: readonly ClaimedRange[]): void {
    for (const [handle, from, to] of ranges) {
      const held = this.#held.get(handle);
      if (held === undefined) continue;
      held.lane.ended(held, from, to);
      held.left -= to - from;
      if (held.left <= 0) this.#held.delete(handle);
    }
  }

  /** Puts items back that nobody holds any more; a suspect that `wasAlone` is the next one to be run. */
  putBack(handle: number, from: number, to: number, wasAlone = false): void {
    const held = this.#held.get(handle);
    if (held === undefined) return;
    held.lane.ended(held, from, to);
    this.#place(held, from, to, wasAlone);
  }

  mark(handle: number, place: number, mark: Mark): void {
    this.#held.get(handle)?.marks.set(place, mark);
  }

  markOf(handle: number, place: number): Mark | undefined {
    return this.#held.get(handle)?.marks.get(place);
  }

  close(): void {
    for (const lane of this.#lanes) lane.close();
  }
}
