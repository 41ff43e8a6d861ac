import { expect, test } from "vitest";
import { describeLetter, letterAsJson } from "../../src/cli/dead-letter-text.ts";
import type { DeadLetter } from "../../src/definition/dead-letter.ts";

const letter: DeadLetter = {
  id: "0123456789abcdef01234567-5",
  pipeline: "orders",
  run: "20260101-000000-abcdef",
  stage: "check",
  key: "customer-7",
  item: undefined,
  raw: Buffer.from([0xc1, 0x00, 0xff]),
  headers: { trace: "1" },
  attempts: [],
  reason: "not-decodable",
  bundle: "ff".repeat(32),
  path: ["check"],
  deadAt: 1_700_000_000_000,
  enqueuedAt: 1_699_999_999_000,
  replay: 0,
};

test("bytes that cannot be decoded are shown as they are, in base64", () => {
  expect(letterAsJson(letter)).toMatchObject({ item: null, raw: "wQD/" });
  expect(describeLetter(letter)).toContain("wQD/");
});

test("JSON has the documented keys, in their order, and no others", () => {
  const { raw: _raw, ...decoded } = letter;
  expect(Object.keys(letterAsJson({ ...decoded, item: 1 }))).toEqual([
    "id",
    "pipeline",
    "run",
    "stage",
    "item",
    "headers",
    "attempts",
    "reason",
    "bundle",
    "path",
    "deadAt",
  ]);
});

test("people are shown key and headers too", () => {
  const text = describeLetter(letter);
  expect(text).toContain("customer-7");
  expect(text).toContain('{"trace":"1"}');
});
