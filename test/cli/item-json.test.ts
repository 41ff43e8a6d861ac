import * as fc from "fast-check";
import { expect, test } from "vitest";
import { itemAsJson } from "../../src/cli/item-json.ts";
import { items } from "../wire/item-values.ts";

test("what JSON has comes out as it is", () => {
  void fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.stringify(itemAsJson(value))).toBe(JSON.stringify(value));
    }),
  );
});

test("any item comes out as something that JSON has", () => {
  void fc.assert(
    fc.property(items, (item) => {
      expect(isJson(itemAsJson(item))).toBe(true);
    }),
  );
});

function isJson(value: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  return (
    typeof value === "object" &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isJson)
  );
}

test.each<[what: string, item: unknown, rendered: unknown]>([
  ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
  ["an invalid date", new Date(Number.NaN), null],
  ["a map with text keys", new Map([["a", new Date(0)]]), { a: "1970-01-01T00:00:00.000Z" }],
  [
    "a map with other keys",
    new Map<unknown, number>([
      [1, 2],
      ["a", 3],
    ]),
    [
      [1, 2],
      ["a", 3],
    ],
  ],
  ["a set", new Set([1n, "a"]), ["1", "a"]],
  ["a bigint", -(2n ** 70n), "-1180591620717411303424"],
  ["a number that JSON lacks", [Number.NaN, Number.NEGATIVE_INFINITY], ["NaN", "-Infinity"]],
  ["bytes", Buffer.from("abc"), "YWJj"],
  ["a part of a buffer", new Uint8Array(Uint8Array.from([9, 97, 98, 99, 9]).buffer, 1, 3), "YWJj"],
  ["numbers", Float32Array.of(0.5, 2), [0.5, 2]],
  ["big numbers", BigInt64Array.of(-1n), ["-1"]],
  ["undefined", { a: undefined, b: [undefined] }, { b: [null] }],
  [
    "an error",
    Object.assign(new RangeError("no"), { stack: "s" }),
    { name: "RangeError", message: "no", stack: "s" },
  ],
  ["an expression", /a+/gi, "/a+/gi"],
])("%s", (_what, item, rendered) => {
  expect(itemAsJson(item)).toEqual(rendered);
});

test("a key called __proto__ is a key like any other", () => {
  expect(JSON.stringify(itemAsJson(new Map([["__proto__", 1]])))).toBe('{"__proto__":1}');
});
