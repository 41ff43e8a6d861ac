import { RangeSet } from "../wire/range-set.ts";
import { type Consumer, start } from "./consumer.ts";
import type { Mark } from "./contract.ts";
import type { Slice } from "./lane.ts";
import type { DeliveredRange } from "./protocol.ts";

/** A message to a consumer is closed at either: a wide credit of large items is more than one message may hold. */
const MESSAGE_BYTES = 4 * 1024 * 1024;
const MESSAGE_RANGES = 4_096;

/** Items on their way into a consumer's hands, in as few messages as may be. */
export class Parcel {
  items = 0;
  readonly #consumer: Consumer;
  #ranges: DeliveredRange[] = [];
  #frames: Buffer[] = [];
  #bytes = 0;
  /** What comes alone is called at once. */
  readonly #isCalledAtOnce: boolean;

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
    this.#isCalledAtOnce = consumer.callsAtOnce && consumer.claims.size === 0;
  }

  /** The items are the consumer's from now on. */
  add(slice: Slice): void {
    const { held, from, to } = slice;
    const { claims } = this.#consumer;
    let ranges = claims.get(held.handle);
    if (ranges === undefined) {
      ranges = new RangeSet();
      claims.set(held.handle, ranges);
    }
    ranges.add(from, to);
    this.#consumer.credit -= to - from;
    held.lane.given(this.#consumer, slice);
    const marks: [number, Mark][] = [];
    if (held.marks.size > 0) {
      for (const [place, mark] of held.marks)
        if (place >= from && place < to) marks.push([place - from, mark]);
    }
    const frame = held.frame.slice(from, to);
    this.#ranges.push({ f: held.handle, o: from, n: to - from, ...(marks.length > 0 ? { m: marks } : {}) });
    this.#frames.push(frame);
    this.items += to - from;
    this.#bytes += frame.length;
    if (this.#bytes >= MESSAGE_BYTES || this.#ranges.length >= MESSAGE_RANGES) this.send();
  }

  send(): void {
    if (this.#ranges.length === 0) return;
    if (this.#isCalledAtOnce && this.items === 1) this.#begin();
    this.#consumer.deliver(this.#ranges, this.#frames);
    this.#ranges = [];
    this.#frames = [];
    this.#bytes = 0;
  }

  /** The only item is begun, unless it has a history that decides first what becomes of it. */
  #begin(): void {
    const [range] = this.#ranges as [DeliveredRange];
    if (range.m !== undefined) return;
    start(this.#consumer, [range.f, range.o, range.o + 1]);
    this.#ranges = [{ ...range, b: 1 }];
  }
}
