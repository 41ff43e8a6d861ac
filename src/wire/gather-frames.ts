import { buildFrame, type Frame, type ItemMeta } from "./frame.ts";
import { ORIGIN_BYTES } from "./ids.ts";
import { pushVarint } from "./item-lengths.ts";
import { packValue } from "./packing.ts";

/** Size and number of items at which a gathered frame is closed. */
const FRAME_BYTES = 256 * 1024;
const FRAME_ITEMS = 1_000;

/** A frame of one item, and what is to be known of the item from now on, its id included. */
export interface SingleItem {
  readonly frame: Frame;
  readonly meta: ItemMeta;
}

export interface GatheredFrame {
  readonly bytes: Buffer;
  readonly count: number;
}

/** Single items in as few frames as they fit into, in their order; only items of one table share a frame. */
export function gatherFrames(items: readonly SingleItem[], closedAt: number): GatheredFrame[] {
  const frames: GatheredFrame[] = [];
  let group: SingleItem[] = [];
  let bytes = 0;
  const close = (): void => {
    if (group.length > 0) frames.push({ bytes: frameOf(group, closedAt), count: group.length });
    group = [];
    bytes = 0;
  };
  for (const item of items) {
    const size = item.frame.payload.length + packValue(item.meta).length;
    const isOther = group.length > 0 && !(group[0] as SingleItem).frame.table.equals(item.frame.table);
    if (isOther || bytes + size > FRAME_BYTES || group.length >= FRAME_ITEMS) close();
    group.push(item);
    bytes += size;
  }
  close();
  return frames;
}

function frameOf(group: readonly SingleItem[], closedAt: number): Buffer {
  const { table, bytes } = (group[0] as SingleItem).frame;
  const lengths: number[] = [];
  for (const { frame } of group) pushVarint(lengths, frame.payload.length);
  return buildFrame({
    count: group.length,
    // Every item has its own id: the frame's is nobody's.
    origin: bytes.subarray(12, 12 + ORIGIN_BYTES),
    first: 0,
    closedAt,
    table,
    meta: new Map(group.map(({ meta }, place) => [place, meta])),
    lengths: Uint8Array.from(lengths),
    payload: group.map(({ frame }) => frame.payload),
  });
}
