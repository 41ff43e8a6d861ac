import fc from "fast-check";
import { expect, test } from "vitest";
import { retryDelayMs } from "../../src/definition/retry-delay.ts";
import type { Backoff } from "../../src/definition/shape.ts";

const policy = (backoff: Partial<Backoff> = {}) => ({
  attempts: 3,
  backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: "full" as const, ...backoff },
});
const never = () => {
  throw new Error("no chance is needed here");
};

test("without jitter the delay doubles up to its limit", () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => retryDelayMs(policy({ jitter: "none" }), n, never));
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});

test("with full jitter the delay is a random part of that", () => {
  expect(retryDelayMs(policy(), 2, () => 0)).toBe(0);
  expect(retryDelayMs(policy(), 2, () => 0.25)).toBe(500);
  expect(retryDelayMs(policy(), 20, () => 0.999999)).toBe(60_000);
});

test("a factor of 1 keeps the delay, and no first delay means none at all", () => {
  expect(retryDelayMs(policy({ factor: 1, jitter: "none" }), 9, never)).toBe(1_000);
  expect(retryDelayMs(policy({ initialMs: 0, jitter: "none" }), 5_000, never)).toBe(0);
});

test("every delay is a whole number from 0 to the limit, however many attempts", () => {
  const backoffs = fc.record({
    initialMs: fc.nat(2_147_483_647),
    factor: fc.double({ min: 1, max: 1e9, noNaN: true }),
    maxMs: fc.nat(2_147_483_647),
    jitter: fc.constantFrom("full" as const, "none" as const),
  });
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(backoffs, fc.integer({ min: 1, max: 1_000_000 }), chance, (backoff, attempt, random) => {
      const delay = retryDelayMs({ attempts: 1, backoff }, attempt, () => random);
      expect(Number.isSafeInteger(delay)).toBe(true);
      expect(delay).toBeGreaterThanOrEqual(0);
      expect(delay).toBeLessThanOrEqual(backoff.maxMs);
    }),
  );
});
