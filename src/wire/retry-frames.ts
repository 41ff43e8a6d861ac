import type { AttemptInfo, Frame, ItemMeta } from "./frame.ts";
import { packValue } from "./packing.ts";

/** Size at which a frame of picked items is closed. */
const FRAME_BYTES = 256 * 1024;
/** Attempts of which all is kept; of older ones the stack goes. */
const FULL_ATTEMPTS = 10;
/** Attempts that are kept at all. */
const KEPT_ATTEMPTS = 1_000;

export interface PickedFrame {
  readonly bytes: Buffer;
  readonly count: number;
}

/**
 * Single items of a frame in as many new frames as they need, with `metaOf` for what is known of each: that - a
 * stack an attempt - may be far larger than the items, and a frame beyond MAX_FRAME_BYTES could not be read.
 */
export function pickFrames(
  frame: Frame,
  places: readonly number[],
  metaOf: (place: number) => ItemMeta,
): PickedFrame[] {
  const picked: PickedFrame[] = [];
  const metas = new Map<number, ItemMeta>();
  let start = 0;
  let bytes = 0;
  const close = (end: number): void => {
    if (end === start) return;
    const part = places.slice(start, end);
    picked.push({ bytes: frame.pick(part, (place) => metas.get(place) as ItemMeta), count: part.length });
    start = end;
    bytes = 0;
  };
  for (const [index, place] of places.entries()) {
    const meta = withBoundedHistory(metaOf(place));
    metas.set(place, meta);
    const item = (frame.starts[place + 1] as number) - (frame.starts[place] as number);
    const size = item + packValue(meta).length;
    if (bytes + size > FRAME_BYTES) close(index);
    bytes += size;
  }
  close(places.length);
  return picked;
}

function withBoundedHistory(meta: ItemMeta): ItemMeta {
  return meta.history === undefined ? meta : { ...meta, history: boundedHistory(meta.history) };
}

/** What is kept of an item's attempts: all of the last ones, the others without their stacks. */
export function boundedHistory(history: readonly AttemptInfo[]): readonly AttemptInfo[] {
  if (history.length <= FULL_ATTEMPTS) return history;
  const older = history
    .slice(-KEPT_ATTEMPTS, -FULL_ATTEMPTS)
    .map(({ at, error }) => ({ at, error: { ...error, message: error.message.slice(0, 200), stack: "" } }));
  return [...older, ...history.slice(-FULL_ATTEMPTS)];
}
