import fc from "fast-check";
import { expect, test } from "vitest";
import { linesIn, linesOf } from "../../src/wire/lines.ts";

test("lines end in \\n or \\r\\n; an end at the end begins no further line", () => {
  expect([...linesOf("")]).toEqual([]);
  expect([...linesOf("a")]).toEqual(["a"]);
  expect([...linesOf("a\n")]).toEqual(["a"]);
  expect([...linesOf("\n")]).toEqual([""]);
  expect([...linesOf("a\r\n\r\nb\rc\n\n")]).toEqual(["a", "", "b\rc", ""]);
});

test("a text in pieces has the same lines, wherever it is cut, in characters too", async () => {
  const text = fc.string({ unit: fc.constantFrom("a", "\n", "\r\n", "é", "🙂") });
  await fc.assert(
    fc.asyncProperty(text, fc.array(fc.nat(40)), async (whole, cuts) => {
      const bytes = Buffer.from(whole);
      const places = [
        0,
        ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
        bytes.length,
      ];
      async function* pieces(): AsyncGenerator<Buffer> {
        for (let i = 1; i < places.length; i++) yield bytes.subarray(places[i - 1], places[i]);
      }
      const lines: string[] = [];
      for await (const line of linesIn(pieces())) lines.push(line);
      expect(lines).toEqual([...linesOf(whole)]);
    }),
  );
});
