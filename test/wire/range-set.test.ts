import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RangeSet } from "../../src/wire/range-set.ts";

const range = fc
  .tuple(fc.nat({ max: 40 }), fc.nat({ max: 12 }))
  .map(([from, length]) => [from, from + length] as const);
const step = fc.tuple(fc.boolean(), range);

test("behaves like a set of numbers", () => {
  void fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), range, (steps, [from, to]) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const [isAdd, [low, high]] of steps) {
        let changed = 0;
        for (let n = low; n < high; n++) {
          if (isAdd === model.has(n)) continue;
          changed++;
          if (isAdd) model.add(n);
          else model.delete(n);
        }
        expect(isAdd ? set.add(low, high) : set.remove(low, high)).toBe(changed);
        expect(set.size).toBe(model.size);
      }
      const members = [...set.ranges()].flatMap(([low, high]) =>
        Array.from({ length: high - low }, (_, i) => low + i),
      );
      expect(members).toEqual([...model].sort((a, b) => a - b));
      // Disjoint, sorted, not even touching: so that `covers` may look at one range alone.
      for (let i = 1; i < set.bounds.length; i++)
        expect(set.bounds[i]).toBeGreaterThan(set.bounds[i - 1] as number);
      const gaps = [...set.gaps(60)].flatMap(([low, high]) =>
        Array.from({ length: high - low }, (_, i) => low + i),
      );
      expect(gaps).toEqual(Array.from({ length: 60 }, (_, i) => i).filter((n) => !model.has(n)));
      if (to > from) {
        const all = Array.from({ length: to - from }, (_, i) => from + i).every((n) => model.has(n));
        expect(set.covers(from, to)).toBe(all);
      }
      expect([...RangeSet.of(set.bounds).ranges()]).toEqual([...set.ranges()]);
    }),
    { numRuns: 500 },
  );
});

test("nothing is added or taken by an empty or a reversed range", () => {
  const set = RangeSet.of([5, 10]);
  expect(set.add(7, 7)).toBe(0);
  expect(set.add(9, 6)).toBe(0);
  expect(set.remove(8, 8)).toBe(0);
  expect(set.remove(9, 6)).toBe(0);
  expect([...set.ranges()]).toEqual([[5, 10]]);
});

test("a reversed range is not covered", () => {
  expect(RangeSet.of([5, 10]).covers(9, 6)).toBe(false);
  expect(RangeSet.of([5, 10]).covers(7, 7)).toBe(false);
});
