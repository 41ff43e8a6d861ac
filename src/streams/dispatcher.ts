import { Frame } from "../wire/frame.ts";
import { RangeSet } from "../wire/range-set.ts";
import type { Deliveries, Delivery, Mark, Settlement } from "./contract.ts";
import type { DeliveredRange } from "./protocol.ts";

/** Deaths after which an item is not given to user code again. */
export const KILLS_TO_DEAD_LETTER = 2;

/** A message to a consumer is closed at either: a wide credit of large items is more than one message may hold. */
const MESSAGE_BYTES = 4 * 1024 * 1024;
const MESSAGE_RANGES = 4_096;

/** Where delivered ranges go: the connection of an instance. */
export interface Consumer {
  readonly instance: string;
  readonly role: "worker" | "suspect";
  /** Items it may be given beyond what it holds. */
  credit: number;
  /** Items it holds, by frame. */
  readonly claims: Map<number, RangeSet>;
  /** Of these, the ones handed to user code. */
  readonly started: Map<number, RangeSet>;
  /** Suspects it was given, one after the other. */
  handed: number;
  deliver(ranges: readonly DeliveredRange[], frames: readonly Buffer[]): void;
}

interface HeldFrame {
  readonly number: number;
  readonly frame: Frame;
  readonly marks: Map<number, Mark>;
  /** Items not settled in this life. */
  left: number;
}

interface Slice {
  readonly held: HeldFrame;
  from: number;
  readonly to: number;
}

/**
 * Shares out one stream's items among the instances of its stage.
 *
 * D1 An item is in exactly one place: the engine, the shelf, the suspects, one consumer's claims, or settled.
 * D2 A consumer settles only what it has claimed.
 * D3 A suspect is given to a suspect instance, alone; everything else to workers.
 */
export class Dispatcher {
  readonly stream: string;
  readonly consumers = new Set<Consumer>();
  readonly #deliveries: Deliveries;
  readonly #held = new Map<number, HeldFrame>();
  readonly #shelf: Slice[] = [];
  readonly #suspects: Slice[] = [];
  #shelfItems = 0;
  #wanted = 0;
  #turn = 0;
  readonly #onSuspects: (count: number) => void;

  constructor(
    stream: string,
    consume: (onDelivery: (delivery: Delivery) => void) => Deliveries,
    onSuspects: (count: number) => void,
  ) {
    this.stream = stream;
    this.#onSuspects = onSuspects;
    this.#deliveries = consume((delivery) => this.#take(delivery));
  }

  /** Suspects that wait for, or run on, a suspect instance. */
  get suspects(): number {
    let count = this.#suspects.length;
    for (const consumer of this.consumers) if (consumer.role === "suspect") count += claimedItems(consumer);
    return count;
  }

  get claimed(): number {
    let count = 0;
    for (const consumer of this.consumers) count += claimedItems(consumer);
    return count;
  }

  #take(delivery: Delivery): void {
    // n.b. a frame may come twice: when an item of it was put back by the engine. It is held once.
    const known = this.#held.get(delivery.frame);
    const held = known ?? {
      number: delivery.frame,
      frame: Frame.parse(delivery.bytes),
      marks: new Map(delivery.marks),
      left: 0,
    };
    this.#held.set(delivery.frame, held);
    for (const [from, to] of delivery.pending) {
      held.left += to - from;
      this.#wanted = Math.max(0, this.#wanted - (to - from));
      this.#place(held, from, to, false);
    }
    this.dispatch();
  }

  /** Puts items where they belong by their marks. */
  #place(held: HeldFrame, from: number, to: number, atFront: boolean, isNextSuspect = false): void {
    let start = from;
    const shelve = (until: number): void => {
      if (until <= start) return;
      const slice = { held, from: start, to: until };
      if (atFront) this.#shelf.unshift(slice);
      else this.#shelf.push(slice);
      this.#shelfItems += until - start;
    };
    const suspects: Slice[] = [];
    if (held.marks.size > 0) {
      for (let place = from; place < to; place++) {
        const mark = held.marks.get(place);
        if (mark === undefined || mark.timedOut === true || mark.kills >= KILLS_TO_DEAD_LETTER) continue;
        shelve(place);
        start = place + 1;
        suspects.push({ held, from: place, to: place + 1 });
      }
    }
    shelve(to);
    if (suspects.length === 0) return;
    if (isNextSuspect) this.#suspects.unshift(...suspects);
    else this.#suspects.push(...suspects);
    this.#onSuspects(this.suspects);
  }

  /** Gives out what there is for as long as somebody may take it. */
  dispatch(): void {
    this.#dispatchSuspects();
    let credit = 0;
    const takers: Consumer[] = [];
    for (const consumer of this.consumers) {
      if (consumer.role !== "worker" || consumer.credit <= 0) continue;
      credit += consumer.credit;
      takers.push(consumer);
    }
    if (takers.length === 0) return;
    const missing = credit - this.#shelfItems - this.#wanted;
    if (missing > 0) {
      this.#wanted += missing;
      // n.b. the engine may deliver before this call returns; then dispatch has run and there is nothing left here.
      this.#deliveries.want(missing);
    }
    if (this.#shelfItems === 0) return;
    const share = Math.max(1, Math.ceil(this.#shelfItems / takers.length));
    for (let i = 0; i < takers.length && this.#shelfItems > 0; i++) {
      const consumer = takers[(this.#turn + i) % takers.length] as Consumer;
      this.#give(consumer, Math.min(consumer.credit, share));
    }
    this.#turn++;
    if (this.#shelfItems > 0 && takers.some((consumer) => consumer.credit > 0)) this.dispatch();
  }

  #give(consumer: Consumer, items: number): void {
    let ranges: DeliveredRange[] = [];
    let frames: Buffer[] = [];
    let bytes = 0;
    let left = items;
    while (left > 0) {
      const slice = this.#shelf[0];
      if (slice === undefined) break;
      const to = Math.min(slice.to, slice.from + left);
      this.#claim(consumer, slice.held, slice.from, to, ranges, frames);
      left -= to - slice.from;
      this.#shelfItems -= to - slice.from;
      if (to === slice.to) this.#shelf.shift();
      else slice.from = to;
      bytes += (frames.at(-1) as Buffer).length;
      if (bytes < MESSAGE_BYTES && ranges.length < MESSAGE_RANGES) continue;
      consumer.deliver(ranges, frames);
      ranges = [];
      frames = [];
      bytes = 0;
    }
    if (ranges.length > 0) consumer.deliver(ranges, frames);
  }

  #dispatchSuspects(): void {
    if (this.#suspects.length === 0) return;
    for (const consumer of this.consumers) {
      if (consumer.role !== "suspect" || consumer.credit <= 0 || consumer.claims.size > 0) continue;
      const slice = this.#suspects.shift();
      if (slice === undefined) return;
      consumer.handed++;
      const ranges: DeliveredRange[] = [];
      const frames: Buffer[] = [];
      this.#claim(consumer, slice.held, slice.from, slice.to, ranges, frames);
      consumer.deliver(ranges, frames);
    }
  }

  #claim(
    consumer: Consumer,
    held: HeldFrame,
    from: number,
    to: number,
    ranges: DeliveredRange[],
    frames: Buffer[],
  ): void {
    let claims = consumer.claims.get(held.number);
    if (claims === undefined) {
      claims = new RangeSet();
      consumer.claims.set(held.number, claims);
    }
    claims.add(from, to);
    consumer.credit -= to - from;
    const marks: [number, Mark][] = [];
    if (held.marks.size > 0) {
      for (const [place, mark] of held.marks)
        if (place >= from && place < to) marks.push([place - from, mark]);
    }
    ranges.push({ f: held.number, o: from, n: to - from, ...(marks.length > 0 ? { m: marks } : {}) });
    frames.push(held.frame.slice(from, to));
  }

  /** True when the consumer holds all of it, and none of it twice. */
  holds(consumer: Consumer, settlements: readonly Settlement[]): boolean {
    const seen = new Map<number, RangeSet>();
    return settlements.every(({ frame, from, to }) => {
      let ranges = seen.get(frame);
      if (ranges === undefined) {
        ranges = new RangeSet();
        seen.set(frame, ranges);
      }
      return ranges.add(from, to) === to - from && consumer.claims.get(frame)?.covers(from, to) === true;
    });
  }

  /** Takes claims away from a consumer whose settlement of them is on its way to the engine. */
  unclaim(consumer: Consumer, settlements: readonly Settlement[]): void {
    for (const { frame, from, to } of settlements) {
      const claims = consumer.claims.get(frame);
      claims?.remove(from, to);
      if (claims?.size === 0) {
        consumer.claims.delete(frame);
        consumer.started.delete(frame);
      } else consumer.started.get(frame)?.remove(from, to);
    }
  }

  /** The engine has settled it. */
  settled(settlements: readonly Settlement[]): void {
    for (const { frame, from, to } of settlements) {
      const held = this.#held.get(frame);
      if (held === undefined) continue;
      held.left -= to - from;
      if (held.left <= 0) this.#held.delete(frame);
    }
  }

  /** Puts items back that nobody holds any more; a suspect that `wasAlone` is the next one to be run. */
  putBack(frame: number, from: number, to: number, wasAlone = false): void {
    const held = this.#held.get(frame);
    if (held !== undefined) this.#place(held, from, to, true, wasAlone);
  }

  mark(frame: number, place: number, mark: Mark): void {
    this.#held.get(frame)?.marks.set(place, mark);
  }

  markOf(frame: number, place: number): Mark | undefined {
    return this.#held.get(frame)?.marks.get(place);
  }

  close(): void {
    this.#deliveries.close();
  }
}

export function claimedItems(consumer: Consumer): number {
  let count = 0;
  for (const claims of consumer.claims.values()) count += claims.size;
  return count;
}
