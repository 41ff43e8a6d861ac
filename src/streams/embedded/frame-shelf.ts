import { Frame } from "../../wire/frame.ts";
import type { Deliveries, Delivery } from "../contract.ts";
import type { Ledger } from "./ledger.ts";

/** Bytes of recent frames kept per stream, so that a consumer that keeps up never waits for the disk. */
const REMEMBERED_BYTES = 8 * 1024 * 1024;
/** Frames read from the disk at a time. */
const READ_AHEAD = 8;

interface ShelfEvents {
  /** A frame cannot be read back or is damaged. */
  onUnreadable(frame: number, problem: string): void;
}

/**
 * Hands out the living frames of one stream in order, as many as are wanted: from memory when they have just
 * come, else from the log.
 */
export class FrameShelf {
  readonly #ledger: Ledger;
  readonly #stream: string;
  readonly #read: (frame: number) => Promise<Buffer>;
  readonly #events: ShelfEvents;
  readonly #remembered = new Map<number, Buffer>();
  #rememberedBytes = 0;
  /** The consumer does not keep up: what comes now is read from the disk when its turn has come. */
  #isBehind = false;
  /** Frames whose time has come after frames behind them went out. */
  readonly #again: number[] = [];
  #cursor = 1;
  #wanted = 0;
  #onDelivery: ((delivery: Delivery) => void) | undefined;
  #reading = false;

  constructor(ledger: Ledger, stream: string, read: (frame: number) => Promise<Buffer>, events: ShelfEvents) {
    this.#ledger = ledger;
    this.#stream = stream;
    this.#read = read;
    this.#events = events;
  }

  consume(onDelivery: (delivery: Delivery) => void): Deliveries {
    this.#onDelivery = onDelivery;
    return {
      want: (items) => {
        this.#wanted += items;
        this.offer();
      },
      close: () => {
        this.#onDelivery = undefined;
      },
    };
  }

  remember(frame: number, bytes: Buffer): void {
    if (this.#isBehind) return;
    if (this.#rememberedBytes + memoryOf(bytes) > REMEMBERED_BYTES) {
      this.#isBehind = true;
      return;
    }
    this.#remembered.set(frame, bytes);
    this.#rememberedBytes += memoryOf(bytes);
  }

  forget(frame: number): void {
    const bytes = this.#remembered.get(frame);
    if (bytes === undefined) return;
    this.#remembered.delete(frame);
    this.#rememberedBytes -= memoryOf(bytes);
  }

  offerAgain(frame: number): void {
    // n.b. one that the cursor has not reached comes by itself; twice would be twice in somebody's hands.
    if (frame < this.#cursor) this.#again.push(frame);
    this.offer();
  }

  offer(): void {
    while (this.#wanted > 0 && this.#onDelivery !== undefined && !this.#reading) {
      const frame = this.#next();
      if (frame === undefined) {
        this.#isBehind = false;
        return;
      }
      const bytes = this.#remembered.get(frame);
      if (bytes === undefined) {
        void this.#readAndDeliver(frame);
        return;
      }
      this.forget(frame);
      this.#deliver(frame, bytes);
    }
  }

  #next(): number | undefined {
    const again = this.#again.shift();
    if (again !== undefined) return again;
    const stream = this.#ledger.stream(this.#stream);
    const frame = stream.index.nextReady(this.#cursor, stream.nextFrame);
    if (frame !== undefined) this.#cursor = frame + 1;
    return frame;
  }

  async #readAndDeliver(first: number): Promise<void> {
    this.#reading = true;
    const frames = [first];
    for (let i = 1; i < READ_AHEAD; i++) {
      const next = this.#next();
      if (next === undefined) break;
      frames.push(next);
    }
    const read = await Promise.allSettled(
      frames.map((frame) => this.#remembered.get(frame) ?? this.#read(frame)),
    );
    this.#reading = false;
    for (const [i, frame] of frames.entries()) {
      const result = read[i] as PromiseSettledResult<Buffer>;
      this.forget(frame);
      if (result.status === "fulfilled") this.#deliver(frame, result.value);
      else this.#events.onUnreadable(frame, String(result.reason));
    }
    this.offer();
  }

  #deliver(frame: number, bytes: Buffer): void {
    const pending = this.#ledger.pendingOf(this.#stream, frame);
    if (pending.length === 0) return;
    let content: Frame;
    try {
      content = Frame.parse(bytes);
    } catch (error) {
      this.#events.onUnreadable(frame, (error as Error).message);
      return;
    }
    // n.b. never below zero: what came beyond one wish is no part of the next.
    for (const [from, to] of pending) this.#wanted = Math.max(0, this.#wanted - (to - from));
    const marks = this.#ledger.marksOf(this.#stream, frame);
    this.#onDelivery?.({ stream: this.#stream, frame, content, pending, marks });
  }
}

/** A frame is a part of the message that brought it, and keeps all of that alive. */
function memoryOf(bytes: Buffer): number {
  return bytes.buffer.byteLength;
}
