import { expect, test } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { itemId, ORIGIN_BYTES, OriginSequence } from "../../src/wire/ids.ts";

test("origins of one instance never repeat, also where the counter overflows", () => {
  const bytes = Buffer.alloc(8, 0xff);
  const sequence = new OriginSequence({ float: () => 0, bytes: () => bytes });
  const seen = new Set<string>();
  for (let i = 0; i < 10_000; i++) seen.add(sequence.next().toString("hex"));
  expect(seen.size).toBe(10_000);
});

test("origins of two instances differ", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 1_000; i++) seen.add(new OriginSequence(nodeEnv.random).next().toString("hex"));
  expect(seen.size).toBe(1_000);
});

test("an item's id is its frame's origin and its place", () => {
  const origin = new OriginSequence(nodeEnv.random).next();
  expect(origin.length).toBe(ORIGIN_BYTES);
  expect(itemId(origin.toString("hex"), 3)).toMatch(/^[0-9a-f]{24}-3$/);
});
