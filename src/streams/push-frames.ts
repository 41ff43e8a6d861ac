import type { Env } from "../env/env.ts";
import { EncodingError, MillraceError } from "../errors.ts";
import type { ItemMeta } from "../wire/frame.ts";
import { FrameBuilder } from "../wire/frame-builder.ts";
import { OriginSequence } from "../wire/ids.ts";
import { ItemEncoder } from "../wire/item-codec.ts";
import { LANE_WEIGHTS, streamOf } from "./lanes.ts";

/** Items of one push are one transaction, which is one message: this is ample below what a message may hold. */
export const MAX_PUSH_BYTES = 16 * 1024 * 1024;

/** How the items of a push are stored: read and checked. */
export interface PushPlan {
  readonly delayMs: number;
  /** The lane of its priority. */
  readonly lane: number;
  readonly meta: ItemMeta | undefined;
}

export interface PushFrame {
  readonly stream: string;
  readonly bytes: Buffer;
  readonly count: number;
  readonly delayMs: number;
  /** Of its items, each as often as it is referred to. */
  readonly blobs: readonly string[] | undefined;
}

interface Encoded {
  readonly bytes: Uint8Array;
  readonly blobs: readonly string[] | undefined;
}

interface Open extends Pick<PushPlan, "delayMs" | "lane"> {
  readonly builder: FrameBuilder;
}

/**
 * Packs pushed items into frames, one in the making for each delay and lane.
 *
 * F1 All items of a push are encoded before the first is added: one that cannot be leaves nothing of its push behind.
 */
export class PushFrames {
  readonly #env: Env;
  readonly #source: string;
  readonly #origins: OriginSequence;
  readonly #encoder = new ItemEncoder();
  readonly #open = new Map<number, Open>();
  #ready: PushFrame[] = [];
  #bytes = 0;

  constructor(env: Env, source: string) {
    this.#env = env;
    this.#source = source;
    this.#origins = new OriginSequence(env.random);
  }

  /** Bytes added since the last {@link take}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Throws EncodingError MR_NOT_ENCODABLE, MR_ITEM_TOO_LARGE or MR_PUSH_TOO_LARGE, and has added nothing then. */
  add(items: readonly unknown[], plan: PushPlan): void {
    if (items.length === 1) this.#add(this.#encode(items, 0), this.#encoder.blobs, plan);
    else for (const { bytes, blobs } of this.#encodeAll(items)) this.#add(bytes, blobs, plan);
    if (!this.#encoder.mustSettle) return;
    this.#closeAll();
    this.#encoder.settle();
  }

  #encodeAll(items: readonly unknown[]): Encoded[] {
    const encoded: Encoded[] = [];
    let sum = 0;
    for (let i = 0; i < items.length; i++) {
      const bytes = Uint8Array.from(this.#encode(items, i));
      sum += bytes.byteLength;
      if (sum > MAX_PUSH_BYTES) {
        throw new EncodingError(
          "MR_PUSH_TOO_LARGE",
          `push to ${this.#source}: its first ${i + 1} of ${items.length} items are ${sum} bytes, one push may have ${MAX_PUSH_BYTES}; push fewer at once`,
          { details: { index: i, bytes: sum, limit: MAX_PUSH_BYTES } },
        );
      }
      encoded.push({ bytes, blobs: this.#encoder.blobs });
    }
    return encoded;
  }

  #encode(items: readonly unknown[], index: number): Uint8Array {
    const item = items[index];
    if (item === undefined) {
      const message = `${this.#subject(items, index)}: it is undefined; null can be an item`;
      throw new EncodingError("MR_NOT_ENCODABLE", message, { details: { index, path: "$" } });
    }
    try {
      return this.#encoder.encode(item);
    } catch (cause) {
      if (!(cause instanceof MillraceError)) throw cause;
      const details = { ...cause.details, index };
      throw new EncodingError(cause.code, `${this.#subject(items, index)}: ${cause.message}`, {
        details,
        cause,
      });
    }
  }

  #subject(items: readonly unknown[], index: number): string {
    return `push to ${this.#source}: item ${index + 1} of ${items.length}`;
  }

  #add(bytes: Uint8Array, blobs: readonly string[] | undefined, { delayMs, lane, meta }: PushPlan): void {
    const place = delayMs * LANE_WEIGHTS.length + lane;
    let open = this.#open.get(place);
    if (open === undefined) {
      open = { builder: new FrameBuilder(), delayMs, lane };
      this.#open.set(place, open);
    }
    const { builder } = open;
    if (builder.isFullFor(bytes.byteLength)) this.#close(open);
    const before = builder.bytes;
    builder.add(bytes, blobs === undefined ? meta : { ...meta, blobs });
    this.#bytes += builder.bytes - before;
  }

  #close({ builder, delayMs, lane }: Open): void {
    const { count } = builder;
    if (count === 0) return;
    const { table } = this.#encoder;
    const { blobs } = builder;
    const bytes = builder.close(this.#origins.next(), 0, this.#env.clock.now(), table);
    this.#ready.push({ stream: streamOf(this.#source, lane), bytes, count, delayMs, blobs });
  }

  #closeAll(): void {
    for (const open of this.#open.values()) this.#close(open);
  }

  /** Closes all frames and hands them over. */
  take(): PushFrame[] {
    this.#closeAll();
    // A builder keeps its memory, which is worth it for what is pushed all the time: items without delay.
    for (const [place, { delayMs }] of this.#open) if (delayMs !== 0) this.#open.delete(place);
    const frames = this.#ready;
    this.#ready = [];
    this.#bytes = 0;
    return frames;
  }
}
