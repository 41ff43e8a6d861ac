import type { Env } from "../env/env.ts";
import { streamOf } from "../streams/lanes.ts";
import type { ItemMeta } from "../wire/frame.ts";
import { FrameBuilder } from "../wire/frame-builder.ts";
import type { ItemEncoder } from "../wire/item-codec.ts";

/** A frame that waits for its transaction. */
export interface ReadyFrame {
  readonly stream: string;
  readonly bytes: Buffer;
  readonly count: number;
  /** Blobs that its items refer to. */
  readonly blobs?: readonly string[];
}

/** A lane of a target. */
export interface Place {
  readonly target: number;
  readonly lane: number;
}

/** Names the items of a lane's next frame: their origin and the index of the first. */
export type OriginOf = (
  place: Place,
  count: number,
) => { readonly origin: Uint8Array; readonly first: number };

interface OpenFrame extends Place {
  readonly stream: string;
  readonly builder: FrameBuilder;
}

/** Bytes that the frame of a lane has room for at first: there may be many of them. */
const LANE_BYTES = 1_024;

/**
 * The frames that outputs are being put into, one for each lane of each target, and those that are full. They go by
 * numbers: lane 0 of a target by the target's own; the others get theirs when they get their first item.
 */
export class OpenFrames {
  readonly #env: Env;
  readonly #streams: readonly string[];
  readonly #encoder: ItemEncoder;
  readonly #originOf: OriginOf;
  readonly #frames: OpenFrame[];
  /** By target, by lane. */
  readonly #numbers: Map<number, number>[];
  #ready: ReadyFrame[] = [];
  #readyBytes = 0;

  constructor(env: Env, streams: readonly string[], encoder: ItemEncoder, originOf: OriginOf) {
    this.#env = env;
    this.#streams = streams;
    this.#encoder = encoder;
    this.#originOf = originOf;
    this.#frames = streams.map((stream, target) => ({
      target,
      lane: 0,
      stream,
      builder: new FrameBuilder(),
    }));
    this.#numbers = streams.map((_, target) => new Map([[0, target]]));
  }

  /** The number of the frame of a lane. */
  numberOf(target: number, lane: number): number {
    const numbers = this.#numbers[target] as Map<number, number>;
    let number = numbers.get(lane);
    if (number === undefined) {
      number = this.#frames.length;
      numbers.set(lane, number);
      const stream = streamOf(this.#streams[target] as string, lane);
      this.#frames.push({ target, lane, stream, builder: new FrameBuilder(LANE_BYTES) });
    }
    return number;
  }

  add(number: number, bytes: Uint8Array, meta: ItemMeta | undefined): void {
    const { builder } = this.#frames[number] as OpenFrame;
    if (builder.isFullFor(bytes.byteLength)) this.#close(number);
    if (meta === undefined) builder.add(bytes);
    else builder.add(bytes, meta);
    // n.b. the next one is probably like it, and would go alone beside the full frame: what is sent is sent whole.
    if (builder.isFullFor(bytes.byteLength)) this.#close(number);
  }

  /** Closes one frame, if there is anything in it. */
  close(number: number): void {
    if ((this.#frames[number] as OpenFrame).builder.count > 0) this.#close(number);
  }

  #close(number: number): void {
    const { stream, builder, ...place } = this.#frames[number] as OpenFrame;
    const { count } = builder;
    if (count === 0) return;
    const { origin, first } = this.#originOf(place, count);
    const blobs = builder.blobs;
    const bytes = builder.close(origin, first, this.#env.clock.now(), this.#encoder.table);
    this.#ready.push({ stream, bytes, count, ...(blobs && { blobs }) });
    this.#readyBytes += bytes.length;
  }

  closeAll(): void {
    for (let i = 0; i < this.#frames.length; i++) {
      if ((this.#frames[i] as OpenFrame).builder.count > 0) this.#close(i);
    }
  }

  /** Items in frames that are not closed yet, by their lanes. */
  *openItems(): Generator<readonly [Place, number]> {
    for (const frame of this.#frames) if (frame.builder.count > 0) yield [frame, frame.builder.count];
  }

  /** Bytes that wait, in closed frames and in the making. */
  get pendingBytes(): number {
    let bytes = this.#readyBytes;
    for (const { builder } of this.#frames) bytes += builder.bytes;
    return bytes;
  }

  get hasFull(): boolean {
    return this.#ready.length > 0;
  }

  /** Closes everything and hands it over. */
  take(): ReadyFrame[] {
    this.closeAll();
    const ready = this.#ready;
    this.#ready = [];
    this.#readyBytes = 0;
    return ready;
  }

  clear(): void {
    for (const { builder } of this.#frames) builder.clear();
    this.#ready = [];
    this.#readyBytes = 0;
  }
}
