import { crc32 } from "node:zlib";
import { CorruptionError, type ErrorInfo } from "../errors.ts";
import { ORIGIN_BYTES } from "./ids.ts";
import { lengthsOf, pushVarint, startsOf } from "./item-lengths.ts";
import { packValue, unpackValue } from "./packing.ts";

/**
 * The unit of storage and transport: a run of items of one stream.
 *
 *     offset  size
 *          0     2  magic "MF"
 *          2     1  version, 1
 *          3     1  zero
 *          4     4  number of items
 *          8     4  CRC-32 of bytes 0-7 and 12-end
 *         12    12  origin of the items' ids
 *         24     4  index of the first item at its origin
 *         28     8  wall clock at closing, milliseconds, float64
 *         36     4  length of the table of structures
 *         40     4  length of the metadata
 *         44     4  length of the lengths
 *         48     4  length of the payload
 *         52        table, metadata, lengths (a varint an item), payload (the items' bytes, end to end)
 *
 * All numbers are little-endian. Metadata is a MessagePack map from place in the frame to `ItemMeta`, only for
 * items that have some.
 */

const MAGIC = 0x464d;
const VERSION = 1;
export const FRAME_HEADER_BYTES = 52;
/** No frame is larger, whatever its header says: one item of the largest size and its surroundings. */
export const MAX_FRAME_BYTES = 2 * 1024 * 1024;
/** Items of one frame. */
export const MAX_FRAME_ITEMS = 65_536;

export interface AttemptInfo {
  /** Wall clock, milliseconds since 1970. */
  readonly at: number;
  readonly error: ErrorInfo;
}

/** What is known of a single item beyond its bytes. */
export interface ItemMeta {
  /** Origin and index of its birth, where it is not in its first frame any more. */
  readonly id?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The lane it was pushed for. */
  readonly priority?: "high" | "normal" | "low";
  /** What its stage's `dedupe` knows it by, where that is not its id. */
  readonly dedupeKey?: string;
  /** Wall clock of its first placement, where it differs from the frame's. */
  readonly enqueuedAt?: number;
  /** Blobs that the item refers to. */
  readonly blobs?: readonly string[];
  /** About how many milliseconds of work it is, where that was said. */
  readonly cost?: number;
  /** Of a job's task: its place in the split, where its id does not say it. */
  readonly position?: number;
  /** How often it was taken back from the dead letters; absent: never. */
  readonly replay?: number;
  /** It has failed before it came: what a function of its edge threw when its source placed it. */
  readonly refused?: ErrorInfo;
  /** Failed attempts so far; since its last replay. */
  readonly history?: readonly AttemptInfo[];
}

export interface FrameParts {
  readonly count: number;
  /** ORIGIN_BYTES bytes. */
  readonly origin: Uint8Array;
  readonly first: number;
  readonly closedAt: number;
  readonly table: Uint8Array;
  readonly meta: ReadonlyMap<number, ItemMeta> | undefined;
  readonly lengths: Uint8Array;
  readonly payload: readonly Uint8Array[];
}

/** One buffer with all parts and the checksum. Throws RangeError above MAX_FRAME_BYTES. */
export function buildFrame(parts: FrameParts): Buffer {
  const meta = parts.meta === undefined || parts.meta.size === 0 ? undefined : packValue([...parts.meta]);
  let payloadLength = 0;
  for (const piece of parts.payload) payloadLength += piece.byteLength;
  const metaLength = meta?.length ?? 0;
  const total =
    FRAME_HEADER_BYTES + parts.table.byteLength + metaLength + parts.lengths.byteLength + payloadLength;
  // n.b. better no frame than one that every reader will take for damaged.
  if (total > MAX_FRAME_BYTES)
    throw new RangeError(`frame of ${total} bytes: larger than ${MAX_FRAME_BYTES}`);
  const frame = Buffer.allocUnsafe(total);
  frame.writeUInt16LE(MAGIC, 0);
  frame[2] = VERSION;
  frame[3] = 0;
  frame.writeUInt32LE(parts.count, 4);
  frame.set(parts.origin, 12);
  frame.writeUInt32LE(parts.first, 24);
  frame.writeDoubleLE(parts.closedAt, 28);
  frame.writeUInt32LE(parts.table.byteLength, 36);
  frame.writeUInt32LE(metaLength, 40);
  frame.writeUInt32LE(parts.lengths.byteLength, 44);
  frame.writeUInt32LE(payloadLength, 48);
  let at = FRAME_HEADER_BYTES;
  frame.set(parts.table, at);
  at += parts.table.byteLength;
  if (meta !== undefined) frame.set(meta, at);
  at += metaLength;
  frame.set(parts.lengths, at);
  at += parts.lengths.byteLength;
  for (const piece of parts.payload) {
    frame.set(piece, at);
    at += piece.byteLength;
  }
  frame.writeUInt32LE(checksum(frame), 8);
  return frame;
}

function checksum(frame: Buffer): number {
  return crc32(frame.subarray(12), crc32(frame.subarray(0, 8)));
}

/** Number of items by the header alone; the frame must have been checked before. */
export function frameItemCount(bytes: Buffer): number {
  return bytes.readUInt32LE(4);
}

export class Frame {
  readonly bytes: Buffer;
  readonly count: number;
  readonly origin: string;
  readonly first: number;
  readonly closedAt: number;
  readonly table: Buffer;
  readonly meta: ReadonlyMap<number, ItemMeta> | undefined;
  readonly payload: Buffer;
  readonly #lengths: Buffer;
  /** Start of each item in the payload, and the payload's length. */
  #starts: Uint32Array | undefined;

  private constructor(bytes: Buffer) {
    const tableLength = bytes.readUInt32LE(36);
    const metaLength = bytes.readUInt32LE(40);
    const lengthsLength = bytes.readUInt32LE(44);
    const metaAt = FRAME_HEADER_BYTES + tableLength;
    const lengthsAt = metaAt + metaLength;
    const payloadAt = lengthsAt + lengthsLength;
    this.bytes = bytes;
    this.count = bytes.readUInt32LE(4);
    this.origin = bytes.toString("hex", 12, 12 + ORIGIN_BYTES);
    this.first = bytes.readUInt32LE(24);
    this.closedAt = bytes.readDoubleLE(28);
    this.table = bytes.subarray(FRAME_HEADER_BYTES, metaAt);
    this.meta =
      metaLength === 0
        ? undefined
        : new Map(unpackValue(bytes.subarray(metaAt, lengthsAt)) as [number, ItemMeta][]);
    this.#lengths = bytes.subarray(lengthsAt, payloadAt);
    this.payload = bytes.subarray(payloadAt);
  }

  /**
   * Reads a frame, believing nothing: size, lengths and checksum are compared before anything is used.
   * Throws CorruptionError MR_FRAME_CORRUPT.
   */
  static parse(bytes: Buffer): Frame {
    const problem = Frame.check(bytes);
    if (problem !== undefined)
      throw new CorruptionError("MR_FRAME_CORRUPT", `frame of ${bytes.length} bytes: ${problem}`);
    let frame: Frame;
    try {
      frame = new Frame(bytes);
      frame.#starts = startsOf(frame.#lengths, frame.count, frame.payload.length);
    } catch (error) {
      throw new CorruptionError(
        "MR_FRAME_CORRUPT",
        `frame of ${bytes.length} bytes: its parts do not fit together`,
        {
          cause: error,
        },
      );
    }
    return frame;
  }

  /** What is wrong with these bytes as a frame, or undefined. */
  static check(bytes: Buffer): string | undefined {
    if (bytes.length < FRAME_HEADER_BYTES) return "shorter than a header";
    if (bytes.length > MAX_FRAME_BYTES) return `longer than ${MAX_FRAME_BYTES}`;
    if (bytes.readUInt16LE(0) !== MAGIC) return "no magic number";
    if (bytes[2] !== VERSION) return `version ${bytes[2]}, not ${VERSION}`;
    const total =
      FRAME_HEADER_BYTES +
      bytes.readUInt32LE(36) +
      bytes.readUInt32LE(40) +
      bytes.readUInt32LE(44) +
      bytes.readUInt32LE(48);
    if (total !== bytes.length) return `its parts add up to ${total}`;
    const count = bytes.readUInt32LE(4);
    if (count === 0 || count > MAX_FRAME_ITEMS) return `${count} items`;
    if (count > bytes.readUInt32LE(44))
      return `${count} items with ${bytes.readUInt32LE(44)} bytes of lengths`;
    if (checksum(bytes) !== bytes.readUInt32LE(8)) return "its checksum does not match";
    return undefined;
  }

  /** Where each item starts in the payload; one more entry for the end. */
  get starts(): Uint32Array {
    this.#starts ??= startsOf(this.#lengths, this.count, this.payload.length);
    return this.#starts;
  }

  /** Id of the item at `place` of this frame. */
  idOf(place: number): string {
    return this.meta?.get(place)?.id ?? `${this.origin}-${this.first + place}`;
  }

  /** Of a job's task: its place in the split. */
  positionOf(place: number): number {
    const meta = this.meta?.get(place);
    if (meta?.position !== undefined) return meta.position;
    const id = meta?.id;
    return id === undefined ? this.first + place : Number(id.slice(id.lastIndexOf("-") + 1));
  }

  /** A frame of the items from `from` to before `to`, which keep ids and metadata. */
  slice(from: number, to: number): Buffer {
    if (from === 0 && to === this.count) return this.bytes;
    const starts = this.starts;
    let meta: Map<number, ItemMeta> | undefined;
    if (this.meta !== undefined) {
      meta = new Map();
      for (const [place, value] of this.meta) if (place >= from && place < to) meta.set(place - from, value);
    }
    return buildFrame({
      count: to - from,
      origin: this.bytes.subarray(12, 12 + ORIGIN_BYTES),
      first: this.first + from,
      closedAt: this.closedAt,
      table: this.table,
      meta,
      lengths: lengthsOf(starts, from, to),
      payload: [this.payload.subarray(starts[from] as number, starts[to] as number)],
    });
  }

  /** A frame of single items out of this one, each with its own id and with `metaOf` for what else is known. */
  pick(places: readonly number[], metaOf: (place: number) => ItemMeta): Buffer {
    const starts = this.starts;
    const meta = new Map<number, ItemMeta>();
    const payload: Buffer[] = [];
    const lengths: number[] = [];
    for (const [index, place] of places.entries()) {
      const start = starts[place] as number;
      const end = starts[place + 1] as number;
      payload.push(this.payload.subarray(start, end));
      pushVarint(lengths, end - start);
      const known = this.meta?.get(place);
      meta.set(index, { enqueuedAt: this.closedAt, ...known, ...metaOf(place), id: this.idOf(place) });
    }
    return buildFrame({
      count: places.length,
      origin: this.bytes.subarray(12, 12 + ORIGIN_BYTES),
      first: 0,
      closedAt: this.closedAt,
      table: this.table,
      meta,
      lengths: Uint8Array.from(lengths),
      payload,
    });
  }
}
