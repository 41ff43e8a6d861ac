import type { Frame } from "../wire/frame.ts";
import type { Consumer } from "./consumer.ts";
import type { Deliveries, Mark } from "./contract.ts";

/** A frame of which something is not settled, as the streams process has it in memory. */
export interface HeldFrame {
  /** The frame's number with that of its lane. */
  readonly handle: number;
  readonly lane: Lane;
  readonly frame: Frame;
  readonly marks: Map<number, Mark>;
  /** Items not settled in this life. */
  left: number;
}

/** Items `from` to before `to` of a frame. */
export interface Slice {
  readonly held: HeldFrame;
  readonly from: number;
  readonly to: number;
}

export function isBefore(one: Slice, other: Slice): boolean {
  if (one.held !== other.held) return one.held.handle < other.held.handle;
  return one.from < other.from;
}

/**
 * One lane of a stage: what the engine has handed out of it and nobody has taken, in the order of its frames, and
 * how much of it is in somebody's hands.
 */
export class Lane {
  readonly number: number;
  /** Items on the shelf. */
  items = 0;
  /** Items, and their bytes, given to a consumer and neither settled nor put back. */
  out = 0;
  outBytes = 0;
  /** Who has them. */
  holder: Consumer | undefined;
  readonly #shelf: Slice[] = [];
  #wanted = 0;
  #deliveries: Deliveries | undefined;

  constructor(number: number) {
    this.number = number;
  }

  /** n.b. apart from the constructor: the engine may deliver at once. */
  open(deliveries: Deliveries): void {
    this.#deliveries = deliveries;
  }

  /** Sees to it that so many items are here or on their way. */
  want(items: number): void {
    const missing = items - this.items - this.#wanted;
    if (missing <= 0) return;
    this.#wanted += missing;
    this.#deliveries?.want(missing);
  }

  arrived(items: number): void {
    this.#wanted = Math.max(0, this.#wanted - items);
  }

  get first(): Slice | undefined {
    return this.#shelf[0];
  }

  /** Puts items where they belong. */
  insert(slice: Slice): void {
    const shelf = this.#shelf;
    this.items += slice.to - slice.from;
    const last = shelf[shelf.length - 1];
    if (last === undefined || isBefore(last, slice)) {
      shelf.push(slice);
      return;
    }
    // What comes out of order was put back, and so belongs near the front.
    let at = 0;
    while (isBefore(shelf[at] as Slice, slice)) at++;
    shelf.splice(at, 0, slice);
  }

  /** Takes the first items, of one frame and at most so many. */
  take(most: number): Slice | undefined {
    const slice = this.#shelf[0];
    if (slice === undefined) return undefined;
    const to = Math.min(slice.to, slice.from + most);
    this.items -= to - slice.from;
    if (to === slice.to) {
      this.#shelf.shift();
      return slice;
    }
    this.#shelf[0] = { held: slice.held, from: to, to: slice.to };
    return { held: slice.held, from: slice.from, to };
  }

  /** Items on the shelf that come before this one. */
  itemsBefore(place: Slice): number {
    let items = 0;
    for (const slice of this.#shelf) {
      if (!isBefore(slice, place)) break;
      items += slice.to - slice.from;
    }
    return items;
  }

  given(consumer: Consumer, { held, from, to }: Slice): void {
    this.holder = consumer;
    this.out += to - from;
    this.outBytes += bytesOf(held.frame, from, to);
  }

  /** What was given has been settled, or comes back. */
  ended(held: HeldFrame, from: number, to: number): void {
    this.out -= to - from;
    this.outBytes -= bytesOf(held.frame, from, to);
    if (this.out === 0) this.holder = undefined;
  }

  close(): void {
    this.#deliveries?.close();
  }
}

function bytesOf({ starts }: Frame, from: number, to: number): number {
  return (starts[to] as number) - (starts[from] as number);
}
