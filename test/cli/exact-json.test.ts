import * as fc from "fast-check";
import { expect, test } from "vitest";
import { exactJson, fromExactJson } from "../../src/cli/exact-json.ts";
import { ItemDecoder, ItemEncoder } from "../../src/wire/item-codec.ts";
import { items } from "../wire/item-values.ts";

function encoded(item: unknown): { bytes: Buffer; table: Buffer } {
  const encoder = new ItemEncoder();
  return { bytes: Buffer.from(encoder.encode(item)), table: encoder.table };
}

/** As a dead letter gives it back. */
function decoded(item: unknown): unknown {
  const { bytes, table } = encoded(item);
  return new ItemDecoder().for(table)(bytes, 0, bytes.length);
}

test("whatever a stage may give back comes back the same from JSON text", () => {
  void fc.assert(
    fc.property(items, (given) => {
      const item = decoded(given);
      const back = fromExactJson(JSON.parse(JSON.stringify(exactJson(item))));
      expect(encoded(back)).toEqual(encoded(item));
    }),
  );
});

test("what JSON has stands for itself, of the rest each has its tag, and a tag of the user's own is none", () => {
  const item = {
    n: 1,
    list: ["a", null, true],
    at: new Date(0),
    by: new Map<unknown, unknown>([[1, new Set([2n])]]),
    raw: Buffer.from("hi"),
    floats: new Float32Array([1.5]),
    odd: [Number.NaN, undefined],
    own: { $date: "mine" },
    two: { $date: "mine", $map: 1 },
  };
  const json = exactJson(item);
  expect(json).toEqual({
    n: 1,
    list: ["a", null, true],
    at: { $date: "1970-01-01T00:00:00.000Z" },
    by: { $map: [[1, { $set: [{ $bigint: "2" }] }]] },
    raw: { $bytes: "aGk=" },
    floats: { $array: ["Float32Array", "AADAPw=="] },
    odd: [{ $number: "NaN" }, { $undefined: true }],
    own: { $object: { $date: "mine" } },
    two: { $date: "mine", $map: 1 },
  });
  expect(fromExactJson(json)).toEqual(item);
});

test("a tag that is none is refused with its place; what JSON would change is refused, not changed", () => {
  expect(() => fromExactJson({ at: [{ $dat: 1 }] })).toThrow(/item at \$\.at\[0\]: .*stands for no value/);
  expect(() => fromExactJson({ n: { $bigint: "many" } })).toThrow(/item at \$\.n: .*"many"/);
  expect(() => exactJson({ error: new Error("no") })).toThrow(/--with MODULE/);
});
