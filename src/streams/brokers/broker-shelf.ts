import type { Env } from "../../env/env.ts";
import { Frame } from "../../wire/frame.ts";
import type { Deliveries, Delivery } from "../contract.ts";
import type { Ledger, StreamState } from "../embedded/ledger.ts";
import type { Arrival } from "./broker.ts";
import { intakeLimit } from "./intake-limit.ts";
import { PATIENCE_MS, Patience } from "./patience.ts";
import type { SteadyQueue } from "./steady-queue.ts";

/** What has come from the broker under one number. */
interface Held {
  readonly bytes: Buffer;
  /** Of this session, not acknowledged: more than one where it was published twice. */
  readonly arrivals: Arrival[];
  /** Handed out. */
  isOut: boolean;
}

export interface ShelfEvents {
  /** The bytes of a frame that lies in the log. */
  read(frame: number): Promise<Buffer>;
  /** A living frame cannot be read; `raw` is what there is of it, where it came from the broker. */
  onUnreadable(frame: number, problem: string, raw: Buffer | undefined): void;
  /** A message that is not ours; to be acknowledged once it is kept elsewhere. */
  onForeign(arrival: Arrival): void;
  /** Whether the session is so old that all must have come that an earlier one had in its hands. */
  isSettled(): boolean;
  /** For people. */
  onNotice(text: string): void;
}

/** While one is waited for, so many others may come. */
const MOST_WAITING = 4_096;

/**
 * What one stream's queue has handed to us, and what of it is handed on.
 *
 * H1 Only what the ledger knows as living is handed on, in the order of its numbers, and each frame once in a life.
 * H2 A message is acknowledged when its frame is settled whole, or when its number can never live any more.
 * H3 A number that was given to a transaction which is not decided yet may come to live: its message is kept.
 */
export class BrokerShelf {
  readonly stream: string;
  readonly queue: SteadyQueue;
  readonly #ledger: Ledger;
  readonly #events: ShelfEvents;
  readonly #state: StreamState;
  readonly #held = new Map<number, Held>();
  #session = 0;
  /** Messages of this session that are not acknowledged. */
  #unacknowledged = 0;
  /** Of what is held: alive and not handed out. */
  #ready = 0;
  /** Living frames that lie in the broker; of these, the ones held. */
  #inBroker = 0;
  #here = 0;
  /** Transactions with numbers up to this one are decided. */
  #decided: number;
  #cursor: number;
  /** Frames behind the cursor whose time has come. */
  readonly #again: number[] = [];
  #wanted = 0;
  #onDelivery: ((delivery: Delivery) => void) | undefined;
  #isReading = false;
  #limit = 0;
  #isInOrder = false;
  readonly #patience: Patience;
  /** Frames before this one are not waited for. */
  #passUntil = 0;
  /** Grows with every arrival. */
  arrivals = 0;

  constructor(env: Env, ledger: Ledger, stream: string, queue: SteadyQueue, events: ShelfEvents) {
    this.#ledger = ledger;
    this.stream = stream;
    this.queue = queue;
    this.#events = events;
    this.#state = ledger.stream(stream);
    this.#patience = new Patience(env, events.isSettled, (frame) => this.#waitNoLonger(frame));
    this.#decided = this.#state.nextFrame - 1;
    this.#cursor = this.#state.nextFrame;
    for (const frame of this.#state.index.frames()) {
      this.#cursor = Math.min(this.#cursor, frame);
      if (this.#state.index.isInBroker(frame)) this.#inBroker++;
    }
  }

  /** Living frames that the broker has, or should have. */
  get missing(): number {
    return this.#inBroker - this.#here;
  }

  /** The numbers of {@link missing}. */
  missingFrames(): number[] {
    const { index } = this.#state;
    return [...index.frames()].filter((frame) => index.isInBroker(frame) && !this.#held.has(frame));
  }

  consume(onDelivery: (delivery: Delivery) => void, isInOrder: boolean): Deliveries {
    this.#onDelivery = onDelivery;
    this.#isInOrder = isInOrder;
    this.queue.consume((arrival) => this.#arrived(arrival));
    return {
      want: (items) => {
        this.#wanted += items;
        this.offer();
        this.#setLimit();
      },
      close: () => {
        this.#onDelivery = undefined;
        this.#patience.end();
      },
    };
  }

  /** Bytes that this shelf may hold beyond what was handed out. */
  shareBytes: number = Number.POSITIVE_INFINITY;

  #setLimit(): void {
    const { bytes } = this.#state;
    // n.b. what is waited for may lie behind all that has come.
    const isWaiting = this.#patience.frame !== undefined && this.#unacknowledged < MOST_WAITING;
    const out = isWaiting ? this.#unacknowledged : Math.max(0, this.#unacknowledged - this.#ready);
    const limit = intakeLimit(this.#limit, out, bytes / Math.max(1, this.#inBroker), this.shareBytes);
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.queue.limit(limit);
  }

  /** The one place that decides what a message is: of a living frame, of one that may live yet, of none of ours. */
  #arrived(arrival: Arrival): void {
    this.arrivals++;
    this.#unacknowledged++;
    const { number } = arrival;
    const { index, nextFrame } = this.#state;
    if (number === undefined || !Number.isSafeInteger(number) || number < 1 || number >= nextFrame) {
      const session = this.#session;
      const ack = (): void => {
        if (session === this.#session) this.#acknowledge([arrival]);
      };
      this.#events.onForeign({ number, bytes: arrival.bytes, ack });
      return;
    }
    const held = this.#held.get(number);
    if (held !== undefined) {
      held.arrivals.push(arrival);
      // n.b. it takes a place in our hands once more, and what is new needs one as well.
      this.#setLimit();
      return;
    }
    const isAlive = index.isInBroker(number);
    if (!isAlive && number <= this.#decided) {
      this.#acknowledge([arrival]);
      return;
    }
    this.#held.set(number, { bytes: arrival.bytes, arrivals: [arrival], isOut: false });
    if (isAlive) {
      this.#here++;
      this.#ready++;
      if (number < this.#cursor) this.#again.push(number);
      this.offer();
    }
    this.#setLimit();
  }

  /** The session is lost: what is in hand stays, and comes again to be acknowledged. */
  lost(): void {
    for (const held of this.#held.values()) held.arrivals.length = 0;
    this.#unacknowledged = 0;
    this.#session++;
  }

  #acknowledge(arrivals: readonly Arrival[]): void {
    for (const arrival of arrivals) arrival.ack();
    this.#unacknowledged -= arrivals.length;
    this.#setLimit();
  }

  /** A transaction is durable, and its frame lives. */
  appended(frame: number): void {
    this.#decided = Math.max(this.#decided, frame);
    if (this.#state.index.isInBroker(frame)) {
      this.#inBroker++;
      if (this.#held.has(frame)) {
        this.#here++;
        this.#ready++;
      }
    }
    this.offer();
  }

  /** A transaction was refused: its frame never lives. */
  refused(frame: number): void {
    this.#decided = Math.max(this.#decided, frame);
    this.#forget(frame);
  }

  /** All of a frame is settled. */
  settled(frame: number, wasInBroker: boolean): void {
    if (!wasInBroker) return;
    this.#inBroker--;
    const held = this.#held.get(frame);
    if (held !== undefined) {
      this.#here--;
      if (!held.isOut) this.#ready--;
    }
    this.#forget(frame);
  }

  #forget(frame: number): void {
    const held = this.#held.get(frame);
    if (held === undefined) return;
    this.#held.delete(frame);
    this.#acknowledge(held.arrivals);
  }

  /** A frame of the log whose time has come. */
  offerAgain(frame: number): void {
    // n.b. one that the cursor has not reached comes by itself; twice would be twice in somebody's hands.
    if (frame < this.#cursor) this.#again.push(frame);
    this.offer();
  }

  offer(): void {
    while (this.#wanted > 0 && this.#onDelivery !== undefined && !this.#isReading) {
      const frame = this.#next();
      if (frame === undefined) return;
      const held = this.#held.get(frame);
      if (held === undefined) void this.#readAndDeliver(frame);
      else {
        held.isOut = true;
        this.#ready--;
        this.#deliver(frame, held.bytes, held.bytes);
      }
    }
  }

  #next(): number | undefined {
    const { index, nextFrame } = this.#state;
    for (let again = this.#again.shift(); again !== undefined; again = this.#again.shift())
      if (index.countOf(again) > 0) return again;
    for (;;) {
      const frame = index.nextReady(this.#cursor, nextFrame);
      if (frame === undefined) return undefined;
      const isHere = !index.isInBroker(frame) || this.#held.has(frame);
      if (!isHere && !this.#mayPass(frame)) return undefined;
      this.#cursor = frame + 1;
      if (frame === this.#patience.frame) this.#patience.end();
      if (isHere) return frame;
    }
  }

  /** Whether others may go before a frame that has not come. When it comes after all it goes at once. */
  #mayPass(frame: number): boolean {
    if (this.#ready === 0) return false;
    if (!this.#isInOrder || frame < this.#passUntil) return true;
    this.#patience.waitFor(frame);
    this.#setLimit();
    return false;
  }

  #waitNoLonger(frame: number): void {
    let first = Number.POSITIVE_INFINITY;
    for (const [number, { isOut }] of this.#held)
      if (!isOut && number >= frame && this.#state.index.isInBroker(number)) first = Math.min(first, number);
    // n.b. none: those that had come are settled.
    if (first === Number.POSITIVE_INFINITY) return;
    this.#passUntil = first;
    this.#events.onNotice(
      `stream ${this.stream}: frame ${frame} has not come from the broker for ${PATIENCE_MS / 1_000} s; what is behind it goes first`,
    );
    this.offer();
  }

  async #readAndDeliver(frame: number): Promise<void> {
    this.#isReading = true;
    const [read] = await Promise.allSettled([this.#events.read(frame)]);
    this.#isReading = false;
    if (read.status === "fulfilled") this.#deliver(frame, read.value, undefined);
    else this.#events.onUnreadable(frame, String(read.reason), undefined);
    this.offer();
  }

  #deliver(frame: number, bytes: Buffer, raw: Buffer | undefined): void {
    const pending = this.#ledger.pendingOf(this.stream, frame);
    if (pending.length === 0) return;
    let content: Frame;
    try {
      content = Frame.parse(bytes);
    } catch (error) {
      this.#events.onUnreadable(frame, (error as Error).message, raw);
      return;
    }
    const count = this.#state.index.countOf(frame);
    if (content.count !== count) {
      const problem = `the broker has a frame of ${content.count} items under this number, it had ${count}`;
      this.#events.onUnreadable(frame, problem, raw);
      return;
    }
    // n.b. never below zero: what came beyond one wish is no part of the next.
    for (const [from, to] of pending) this.#wanted = Math.max(0, this.#wanted - (to - from));
    const marks = this.#ledger.marksOf(this.stream, frame);
    this.#onDelivery?.({ stream: this.stream, frame, content, pending, marks });
  }
}
