import { buildFrame, FRAME_HEADER_BYTES, type ItemMeta, MAX_FRAME_ITEMS } from "./frame.ts";

/** A frame closes at this size: large enough to pay for its write, small enough to be shared out. */
export const FRAME_BYTES = 128 * 1024;
export const FRAME_ITEMS = 2_048;

/**
 * Collects encoded items of one stream until a frame is full. Bytes are copied in, since an encoder's output
 * is valid only until its next call.
 */
export class FrameBuilder {
  #payload: Buffer;
  #used = 0;
  #lengths = new Uint8Array(1024);
  #lengthsUsed = 0;
  #meta: Map<number, ItemMeta> | undefined;
  /** About what the metadata take. */
  #metaBytes = 0;
  count = 0;

  /** `bytes`: what to have room for at first. */
  constructor(bytes = 16 * 1024) {
    this.#payload = Buffer.allocUnsafe(bytes);
  }

  /** True when the frame should be closed before another item of `bytes` is added. */
  isFullFor(bytes: number): boolean {
    return (
      this.count > 0 &&
      (this.count >= FRAME_ITEMS || this.#used + this.#metaBytes + bytes > FRAME_BYTES - FRAME_HEADER_BYTES)
    );
  }

  get bytes(): number {
    return this.#used + this.#metaBytes;
  }

  add(item: Uint8Array, meta?: ItemMeta): void {
    const length = item.byteLength;
    if (this.#used + length > this.#payload.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#payload.length * 2, this.#used + length));
      larger.set(this.#payload.subarray(0, this.#used));
      this.#payload = larger;
    }
    this.#payload.set(item, this.#used);
    this.#used += length;
    if (this.#lengthsUsed + 5 > this.#lengths.length) {
      const larger = new Uint8Array(this.#lengths.length * 2);
      larger.set(this.#lengths);
      this.#lengths = larger;
    }
    let rest = length;
    while (rest >= 0x80) {
      this.#lengths[this.#lengthsUsed++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#lengths[this.#lengthsUsed++] = rest;
    if (meta !== undefined) {
      this.#meta ??= new Map();
      this.#meta.set(this.count, meta);
      // n.b. a character may take three bytes. Blobs are rare, and small beside a frame's limit.
      this.#metaBytes += 24 + 3 * ((meta.key?.length ?? 0) + (meta.dedupeKey?.length ?? 0));
      if (meta.headers !== undefined) this.#metaBytes += headerBytes(meta.headers);
    }
    this.count++;
    if (this.count > MAX_FRAME_ITEMS) throw new RangeError("frame builder: too many items");
  }

  /** Blobs that the items refer to. */
  get blobs(): string[] | undefined {
    if (this.#meta === undefined) return undefined;
    const blobs = [...this.#meta.values()].flatMap((meta) => meta.blobs ?? []);
    return blobs.length > 0 ? blobs : undefined;
  }

  /** The frame, and a builder that is empty again. */
  close(origin: Uint8Array, first: number, closedAt: number, table: Uint8Array): Buffer {
    const frame = buildFrame({
      count: this.count,
      origin,
      first,
      closedAt,
      table,
      meta: this.#meta,
      lengths: this.#lengths.subarray(0, this.#lengthsUsed),
      payload: [this.#payload.subarray(0, this.#used)],
    });
    this.clear();
    return frame;
  }

  clear(): void {
    this.#used = 0;
    this.#lengthsUsed = 0;
    this.#meta = undefined;
    this.#metaBytes = 0;
    this.count = 0;
  }
}

/** At most, encoded. */
export function headerBytes(headers: Readonly<Record<string, string>>): number {
  let bytes = 0;
  for (const name in headers) bytes += 10 + 3 * (name.length + (headers[name]?.length ?? 0));
  return bytes;
}
