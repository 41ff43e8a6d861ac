/** What is known of one of a log's segments. */
interface Segment {
  readonly number: number;
  readonly bytes: number;
  /** Blobs in it that are still needed, and their bytes. */
  readonly live: number;
  readonly liveBytes: number;
}

/** Segments before a nearly empty oldest one is worth moving. */
const LEAST_SEGMENTS = 4;
/** What lives in the oldest one moves while no more than this share of the whole log lives; the second where room is needed. */
const MOST_LIVING = 1 / 3;
const MOST_LIVING_WHEN_LOW = 0.8;
/** What is moved is there twice for a while: it may take no more than this share of what is free. */
const MOST_MOVED = 0.7;

/**
 * Which of a log's segments, the oldest first, is worth emptying by copying forward what lives in it: segments are removed in
 * their order, so that the oldest may hold up all others. `freeBytes`: the disk is low and has no more than that.
 */
export function worthMoving(segments: readonly Segment[], freeBytes?: number): number | undefined {
  const isRoomNeeded = freeBytes !== undefined;
  const [oldest] = segments;
  if (oldest === undefined || segments.length < (isRoomNeeded ? 2 : LEAST_SEGMENTS)) return undefined;
  // Nothing lives in it: it goes with the next segment.
  if (oldest.live === 0) return undefined;
  if (isRoomNeeded && oldest.liveBytes > freeBytes * MOST_MOVED) return undefined;
  let total = 0;
  let living = 0;
  for (const { bytes, liveBytes } of segments) {
    total += bytes;
    living += liveBytes;
  }
  const isStraggling = oldest.liveBytes < oldest.bytes / 20;
  // n.b. what moves is written anew: with less to gain, a log of living items only would move for ever.
  return isStraggling || living < total * (isRoomNeeded ? MOST_LIVING_WHEN_LOW : MOST_LIVING)
    ? oldest.number
    : undefined;
}
