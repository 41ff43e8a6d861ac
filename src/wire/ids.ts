import type { Random } from "../env/env.ts";

/** Bytes of a frame's origin: the part of an item's id that it shares with its frame. */
export const ORIGIN_BYTES = 12;

/** An item's id: the origin of the frame it was born in, and its place in it. Kept for life. */
export function itemId(origin: string, index: number): string {
  return `${origin}-${index}`;
}

/** Origins for the frames of one instance: unique by chance between instances, by number within one. */
export class OriginSequence {
  readonly #random: Random;
  readonly #bytes = Buffer.alloc(ORIGIN_BYTES);
  #isDrawn = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The next origin, valid until the following call. */
  next(): Buffer {
    if (!this.#isDrawn) this.#random.bytes(8).copy(this.#bytes, 0);
    this.#isDrawn = true;
    this.#bytes.writeUInt32BE((this.#bytes.readUInt32BE(8) + 1) >>> 0, 8);
    if (this.#bytes.readUInt32BE(8) === 0)
      this.#bytes.writeUInt32BE((this.#bytes.readUInt32BE(4) + 1) >>> 0, 4);
    return this.#bytes;
  }
}
