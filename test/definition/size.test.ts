import { expect, test } from "vitest";
import { parseSize } from "../../src/definition/size.ts";

test.each([
  [0, 0],
  [4_096, 4_096],
  ["100B", 100],
  ["64KB", 65_536],
  ["512MB", 536_870_912],
  ["512mb", 536_870_912],
  ["4GB", 4_294_967_296],
  ["4 GB", 4_294_967_296],
  ["1.5GB", 1_610_612_736],
  ["1TB", 1_099_511_627_776],
])("%j is %d bytes", (written, bytes) => {
  expect(parseSize(written)).toBe(bytes);
});

test.each([
  [-1],
  [1.5],
  [Number.NaN],
  [Number.POSITIVE_INFINITY],
  [""],
  ["512"],
  ["MB"],
  ["-1MB"],
  ["1MBs"],
  ["99999999TB"],
  [null],
  [undefined],
  [[]],
])("%o is not a size", (written) => {
  expect(parseSize(written)).toBeUndefined();
});
