import type { Packr } from "msgpackr/pack";
import { Unpackr } from "msgpackr/unpack";
import { describeValue, EncodingError, ensureError, type MillraceError } from "../errors.ts";
import {
  emptyHanded,
  forgetBlobs,
  newPackr,
  OPTIONS,
  packAside,
  packedBlobs,
  packInPlace,
  packValue,
  type Structures,
  unpackValue,
} from "./packing.ts";

/**
 * Items as bytes: MessagePack with shared record structures.
 *
 * Each item is encoded by itself at the moment it is given, so that a value which its owner changes later
 * is stored as it was, an item that cannot be encoded fails alone, and a frame can be cut without decoding.
 * The names of object keys go into a *table* that a frame carries once.
 */

/** An item larger than this does not travel. */
export const MAX_ITEM_BYTES = 960 * 1024;
/** Beyond either the keys are data rather than structure, and each item carries its own. */
const MAX_TABLE_STRUCTURES = 24;
const MAX_TABLE_BYTES = 2_048;
/** Depth at which a value is refused instead of exhausting a decoder's stack. */
const MAX_DEPTH = 512;
/** Items below this size are not measured: no decoder is exhausted by so many levels. */
const DEEP_BYTES = 1_024;
/** Characters of a path that an error shows. */
const MAX_PATH = 200;

const EMPTY = Buffer.alloc(0);
const standalone = newPackr(undefined);

/** A value of the user's - a source's token - with all that its decoding needs. Throws EncodingError. */
export function encodeStandalone(value: unknown): Buffer {
  try {
    return packAside(standalone, value);
  } catch (error) {
    throw notEncodable(value, error);
  }
}

/** Reverse of {@link encodeStandalone}. */
export function decodeStandalone(bytes: Uint8Array): unknown {
  return standalone.unpack(bytes as Buffer);
}

export class ItemEncoder {
  #structures: Structures | undefined = [];
  #packr: Packr = newPackr(this.#structures);
  #tableLength = 0;
  #table: Buffer = EMPTY;
  /** Grows when earlier and later bytes can no longer share a frame. */
  epoch = 0;
  /** Blobs that the item encoded last refers to, each as often as it does. */
  blobs: readonly string[] | undefined;

  /** The item's bytes, valid until the next call: copy them. Throws EncodingError. */
  encode(item: unknown): Uint8Array {
    let bytes: Uint8Array;
    forgetBlobs();
    try {
      bytes = packInPlace(this.#packr, item);
    } catch (error) {
      throw notEncodable(item, error);
    }
    this.blobs = packedBlobs();
    // A level takes a byte at least, so that a small item cannot be too deep.
    if (bytes.byteLength >= DEEP_BYTES && isDeeperThan(item, MAX_DEPTH)) {
      throw notEncodable(item, new RangeError(`nesting deeper than ${MAX_DEPTH}`));
    }
    if (bytes.byteLength > MAX_ITEM_BYTES) {
      throw new EncodingError(
        "MR_ITEM_TOO_LARGE",
        `item of ${bytes.byteLength} bytes: larger than the ${MAX_ITEM_BYTES} that an item may have; put what is large into a blob: await blob(bytes)`,
        { scope: "item", details: { bytes: bytes.byteLength, limit: MAX_ITEM_BYTES } },
      );
    }
    const structures = this.#structures;
    if (structures !== undefined && structures.length !== this.#tableLength) this.#grow(structures);
    return bytes;
  }

  /** What a decoder must know beside the items' bytes. */
  get table(): Buffer {
    return this.#table;
  }

  #grow(structures: Structures): void {
    this.#tableLength = structures.length;
    this.#table = packValue(structures.map((keys) => Array.from(keys)));
    if (structures.length > MAX_TABLE_STRUCTURES || this.#table.length > MAX_TABLE_BYTES) {
      // The bytes just made still need this table: its frame closes with it, and the next frame starts without.
      this.#pendingPlain = true;
    }
  }

  #pendingPlain = false;

  /** To be called between frames: gives up on a table that has grown out of hand. True when the epoch has changed. */
  settle(): boolean {
    if (!this.#pendingPlain) return false;
    this.#pendingPlain = false;
    this.#structures = undefined;
    this.#packr = newPackr(undefined);
    this.#table = EMPTY;
    this.epoch++;
    return true;
  }

  /** True when the frame in the making must be closed before the next item. */
  get mustSettle(): boolean {
    return this.#pendingPlain;
  }
}

/** Decodes items of frames; keeps the decoder of a table, since most streams have one table only. */
export class ItemDecoder {
  readonly #decoders = new Map<string, Unpackr>();
  #lastTable: Uint8Array | undefined;
  #last: Unpackr | undefined;

  /** The decoder for items of a frame with this table. Throws on a table that is none. */
  for(table: Uint8Array): (payload: Buffer, start: number, end: number) => unknown {
    const unpackr = this.#decoderOf(table);
    return (payload, start, end) => unpackr.unpack(payload, { start, end } as never);
  }

  #decoderOf(table: Uint8Array): Unpackr {
    if (
      this.#last !== undefined &&
      this.#lastTable !== undefined &&
      Buffer.compare(this.#lastTable, table) === 0
    ) {
      return this.#last;
    }
    const key = Buffer.from(table.buffer, table.byteOffset, table.byteLength).toString("latin1");
    let unpackr = this.#decoders.get(key);
    if (unpackr === undefined) {
      const structures = table.byteLength === 0 ? [] : unpackValue(table);
      if (!Array.isArray(structures) || !structures.every((keys) => Array.isArray(keys))) {
        throw new EncodingError("MR_NOT_DECODABLE", "frame: its table of structures is not one", {
          scope: "item",
        });
      }
      // Bytes are copied out: what user code does to them must not reach the frame, which a retry is cut from.
      unpackr = new Unpackr({ ...OPTIONS, copyBuffers: true, structures: structures as never } as never);
      if (this.#decoders.size >= 64) this.#decoders.clear();
      this.#decoders.set(key, unpackr);
    }
    // The table's memory belongs to a frame that will go: keep a copy of our own.
    this.#lastTable = Buffer.from(table);
    this.#last = unpackr;
    return unpackr;
  }
}

/** What cannot be carried of a value that was to travel inside another: its path begins at the value itself. */
export function notEncodableWithin(value: unknown, error: unknown): unknown {
  return error instanceof EncodingError && error.code === "MR_NOT_ENCODABLE"
    ? notEncodable(value, error.cause)
    : error;
}

function notEncodable(item: unknown, error: unknown): MillraceError {
  let found: { path: string; what: string } | undefined;
  try {
    found = findUnencodable(item);
  } catch {
    // A getter of the item throws, as it did when it was encoded: that error says it.
  }
  const place =
    found === undefined || found.path.length <= MAX_PATH ? found?.path : `${found.path.slice(0, MAX_PATH)}…`;
  const path = place === undefined ? "" : ` at ${place}`;
  const what = found?.what ?? ensureError(error).message;
  return new EncodingError(
    "MR_NOT_ENCODABLE",
    `item ${describeValue(item)}: ${what}${path} cannot be carried between processes; return plain data`,
    { scope: "item", details: { path: place ?? "$" }, cause: error },
  );
}

/** Whether a value has more than `levels` containers inside one another. It was encoded, so that it has no cycle. */
function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((part) => isDeeperThan(part, levels - 1));
  if (value instanceof Map) {
    for (const [key, part] of value) {
      if (isDeeperThan(key, levels - 1) || isDeeperThan(part, levels - 1)) return true;
    }
    return false;
  }
  if (value instanceof Set) {
    for (const part of value) if (isDeeperThan(part, levels - 1)) return true;
    return false;
  }
  for (const key in value) if (isDeeperThan((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}

/** Walks a value that the encoder refused and names the first part that is to blame. */
function findUnencodable(root: unknown): { path: string; what: string } | undefined {
  const onPath = new Set<object>();
  const visit = (value: unknown, path: string, depth: number): { path: string; what: string } | undefined => {
    if (typeof value === "function") return { path, what: `a function (${value.name || "anonymous"})` };
    if (typeof value === "symbol") return { path, what: `a symbol (${String(value)})` };
    if (typeof value !== "object" || value === null) return undefined;
    const what = emptyHanded(value);
    if (what !== undefined) return { path, what };
    if (onPath.has(value)) return { path, what: "a circular reference" };
    if (depth > MAX_DEPTH) return { path, what: `nesting deeper than ${MAX_DEPTH}` };
    if (ArrayBuffer.isView(value) || value instanceof Date) return undefined;
    onPath.add(value);
    for (const [key, part] of partsOf(value)) {
      const found = visit(part, path + key, depth + 1);
      if (found !== undefined) return found;
    }
    onPath.delete(value);
    return undefined;
  };
  return visit(root, "$", 0);
}

function* partsOf(value: object): Generator<[string, unknown]> {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) yield [`[${i}]`, value[i]];
  } else if (value instanceof Map) {
    for (const [key, part] of value) {
      yield [`.keys(${describeValue(key)})`, key];
      yield [`.get(${describeValue(key)})`, part];
    }
  } else if (value instanceof Set) {
    for (const part of value) yield [".values()", part];
  } else {
    for (const key of Object.keys(value)) yield [`.${key}`, (value as Record<string, unknown>)[key]];
  }
}
