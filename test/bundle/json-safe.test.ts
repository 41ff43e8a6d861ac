import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonObstacle } from "../../src/bundle/json-safe.ts";

test("what is JSON passes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(jsonObstacle(value)).toBeUndefined();
    }),
  );
});

test("what passes comes back from JSON as it was", () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
  });
  fc.assert(
    fc.property(
      fc.object({ values: [fc.string(), fc.boolean(), fc.integer(), fc.constant(undefined), anything] }),
      (value) => {
        if (jsonObstacle(value) !== undefined) return;
        const back: unknown = JSON.parse(JSON.stringify(value));
        // -0 comes back as 0, and nobody minds.
        expect(zeroes(back)).toEqual(zeroes(value));
      },
    ),
  );
});

test.each([
  [{ a: { b: [1, Number.NaN] } }, "a.b[1]", "the number NaN"],
  [{ a: new Date(0) }, "a", "a Date"],
  [{ a: [new Map()] }, "a[0]", "a Map"],
  [{ a: () => 1 }, "a", "a function"],
  [{ a: Symbol("s") }, "a", "a symbol"],
  [{ a: [undefined] }, "a[0]", "undefined in an array"],
  [{ a: { toJSON: () => 1 } }, "a", "an object with toJSON"],
  [new (class Order {})(), "", "a Order"],
])("the first obstacle is named with its path: %o", (value, path, what) => {
  expect(jsonObstacle(value)).toEqual({ path, what });
});

test("a cycle is an obstacle; the same object twice is none", () => {
  const shared = { x: 1 };
  expect(jsonObstacle({ a: shared, b: [shared] })).toBeUndefined();
  const knot: { self?: unknown } = {};
  knot.self = [knot];
  expect(jsonObstacle({ knot })?.path).toBe("knot.self[0]");
});

function zeroes(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(zeroes);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .map(([key, inner]) => [key, zeroes(inner)])
    .filter(([, inner]) => inner !== undefined)
    .sort();
}
