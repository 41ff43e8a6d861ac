import { buildFrame, Frame, type ItemMeta } from "./frame.ts";
import { ORIGIN_BYTES } from "./ids.ts";
import { type ItemDecoder, ItemEncoder } from "./item-codec.ts";
import { pushVarint } from "./item-lengths.ts";

/** The item of a frame that holds one. Throws CorruptionError, and what the decoder throws. */
export function onlyItem(bytes: Uint8Array, decoder: ItemDecoder): unknown {
  const frame = Frame.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return decoder.for(frame.table)(frame.payload, 0, frame.payload.length);
}

/**
 * The frame with another item in the place of its only one, which keeps its id and what else is known of it; `meta`
 * stands for that where the frame cannot be read. Throws EncodingError.
 */
export function replaceItem(bytes: Uint8Array, item: unknown, meta: ItemMeta): Buffer {
  const encoder = new ItemEncoder();
  const payload = encoder.encode(item);
  const lengths: number[] = [];
  pushVarint(lengths, payload.byteLength);
  const old = parsed(bytes);
  const { blobs: _, ...known } = old?.meta?.get(0) ?? meta;
  const { blobs } = encoder;
  return buildFrame({
    count: 1,
    origin: old?.bytes.subarray(12, 12 + ORIGIN_BYTES) ?? Buffer.alloc(ORIGIN_BYTES),
    first: 0,
    closedAt: old?.closedAt ?? 0,
    table: encoder.table,
    meta: new Map([[0, { ...known, ...(blobs === undefined ? {} : { blobs }) }]]),
    lengths: Uint8Array.from(lengths),
    payload: [payload],
  });
}

function parsed(bytes: Uint8Array): Frame | undefined {
  try {
    return Frame.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch {
    return undefined;
  }
}
