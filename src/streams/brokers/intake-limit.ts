/** Messages in hand beyond what was handed out: so many, if they are small. */
const AHEAD_MESSAGES = 256;
const AHEAD_BYTES = 8 * 1024 * 1024;
const LEAST = 2;
/** Of frames whose size is not known yet. */
const USUAL_BYTES = 64 * 1024;

/**
 * How many messages may be in our hands, when so many were handed out and are not settled, and one is so large. In
 * powers of two, and lowered late: to change it costs the broker a round trip.
 */
export function intakeLimit(now: number, out: number, frameBytes: number, shareBytes: number): number {
  const bytes = Math.min(AHEAD_BYTES, shareBytes);
  const ahead = Math.max(LEAST, Math.min(AHEAD_MESSAGES, Math.floor(bytes / (frameBytes || USUAL_BYTES))));
  const needed = 2 ** Math.ceil(Math.log2(out + ahead));
  return needed > now || needed * 4 < now ? needed : now;
}
