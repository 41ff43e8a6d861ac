import * as fc from "fast-check";
import { pack } from "msgpackr/pack";
import { expect, test } from "vitest";
import { newPackr, packInPlace, packValue, unpackValue } from "../../src/wire/packing.ts";
import { items } from "./item-values.ts";

const large = fc.integer({ min: 1, max: 400_000 }).map((length) => "x".repeat(length));
const own = fc.oneof(items, large);

test("what was packed in place stays as it is, whatever is packed aside until the next", () => {
  const packr = newPackr([]);
  void fc.assert(
    fc.property(own, fc.array(own, { maxLength: 5 }), (item, others) => {
      const bytes = packInPlace(packr, item);
      const copy = Buffer.from(bytes);
      const packed = others.map((other) => packValue(other));
      expect(Buffer.compare(bytes, copy)).toBe(0);
      for (const [i, other] of others.entries())
        expect(packed[i]?.equals(Buffer.from(packValue(other)))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("what user code has packed with the same msgpackr, and kept, stays as it is", () => {
  const packr = newPackr([]);
  const kept: { view: Buffer; copy: Buffer }[] = [];
  for (let i = 0; i < 2_000; i++) {
    const view = pack({ i, text: "y".repeat(i % 300) });
    kept.push({ view, copy: Buffer.from(view) });
    packInPlace(packr, { i, other: "z".repeat((i * 7) % 900) });
    packValue({ head: i });
  }
  expect(kept.every(({ view, copy }) => view.equals(copy))).toBe(true);
});

test("a value that packs others while it is packed is packed right, and so are they", () => {
  const inner: Buffer[] = [];
  const packr = newPackr(undefined);
  class Outer {
    toJSON(): unknown {
      inner.push(packValue({ deep: [1, 2, 3] }));
      inner.push(Buffer.from(packInPlace(newPackr(undefined), "in place")));
      return { before: "a".repeat(50), after: "b".repeat(5_000) };
    }
  }
  const bytes = Buffer.from(packInPlace(packr, [{ held: new Outer() }, new Outer(), "end"]));
  const expected = { before: "a".repeat(50), after: "b".repeat(5_000) };
  expect(packr.unpack(bytes)).toEqual([{ held: expected }, expected, "end"]);
  expect(inner.length).toBe(4);
  expect(unpackValue(inner[0] as Buffer)).toEqual({ deep: [1, 2, 3] });
  expect(unpackValue(inner[1] as Buffer)).toBe("in place");
});

test("a large item does not make each value packed after it cost a large buffer", () => {
  packInPlace(newPackr([]), "x".repeat(900_000));
  const before = process.memoryUsage().arrayBuffers;
  const kept = Array.from({ length: 50 }, (_, i) => packValue({ i }));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  expect(kept.length).toBe(50);
});

test("where user code has filled msgpackr's buffer, what is packed aside does not cost a buffer each time", () => {
  const filler = "f".repeat(100);
  // Until little is left of its 8 KB.
  for (let end = 0; end < 6_150; ) {
    const { byteOffset, byteLength } = pack(filler);
    end = byteOffset + byteLength;
  }
  const buffers = new Set(Array.from({ length: 200 }, () => bufferOf(packValue)));
  expect(buffers.size).toBeLessThanOrEqual(2);
});

/** The buffer into which msgpackr writes after a value was packed aside. */
function bufferOf(aside: typeof packValue): ArrayBufferLike {
  aside({ head: 1 });
  return pack(1).buffer;
}
