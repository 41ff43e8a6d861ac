import { expect, test } from "vitest";
import { parseDuration } from "../../src/definition/duration.ts";

test.each([
  [0, 0],
  [250, 250],
  [0.6, 1],
  ["200ms", 200],
  ["30s", 30_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["1.5h", 5_400_000],
  ["7d", 604_800_000],
  ["0s", 0],
  ["5 m", 300_000],
])("%j is %d milliseconds", (written, milliseconds) => {
  expect(parseDuration(written)).toBe(milliseconds);
});

test.each([
  [-1],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
  [""],
  ["5"],
  ["m"],
  ["5M"],
  ["-5m"],
  ["5m30s"],
  ["5  m"],
  [" 5m"],
  ["1e3s"],
  ["99999999999999999d"],
  [null],
  [undefined],
  [{}],
  [5n],
])("%o is not a duration", (written) => {
  expect(parseDuration(written)).toBeUndefined();
});
