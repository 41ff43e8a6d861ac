import type { RetryPolicy } from "./shape.ts";

/**
 * Whole milliseconds to wait between call number `attempt` (the first is 1), which failed, and the next one.
 *
 * @param random a number from 0 up to but not including 1; asked only when the policy has jitter.
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: () => number): number {
  const { initialMs, factor, maxMs, jitter } = policy.backoff;
  // Without a first delay there is none later, though the power may be infinite by then.
  if (initialMs === 0) return 0;
  const whole = Math.min(maxMs, initialMs * factor ** (attempt - 1));
  return Math.round(jitter === "full" ? whole * random() : whole);
}
