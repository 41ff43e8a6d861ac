import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RecordIndex } from "../../src/streams/embedded/record-index.ts";
import { SortedKeys } from "../../src/streams/embedded/sorted-keys.ts";

const LOCATION = { segment: 1, offset: 0, length: 1 };

test("a page of 20,000 keys, and an addition between any two, looks at some dozens of them", () => {
  let looks = 0;
  const keys = new SortedKeys((a, b) => {
    looks++;
    return a < b;
  });
  const number = (n: number): string => `dead/check/${String((n * 7_919) % 20_000).padStart(6, "0")}`;
  for (let n = 0; n < 20_000; n++) keys.add(number(n));
  expect(looks / 20_000).toBeLessThan(40);

  looks = 0;
  let cursor = "";
  let pages = 0;
  for (; pages < 200; pages++) {
    let read = 0;
    for (const key of keys.startingAt(`${cursor}\u0000`)) {
      cursor = key;
      if (++read === 100) break;
    }
    if (read === 0) break;
    keys.add(`dead/check/${String(pages).padStart(6, "0")}-new`);
    keys.delete(cursor);
  }
  expect(pages).toBe(200);
  expect(looks / pages).toBeLessThan(100);
  expect(keys.count("dead/check/0")).toBeGreaterThan(9_000);
});

test("it is a sorted set, whatever is added and removed", () => {
  const key = fc.string({ unit: fc.constantFrom("a", "b", "/", "~"), minLength: 1, maxLength: 4 });
  void fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), key), { maxLength: 200 }),
      key,
      key,
      fc.integer({ min: 1, max: 20 }),
      (steps, prefix, cursor, limit) => {
        const index = new RecordIndex();
        const model = new Set<string>();
        for (const [isAdded, name] of steps) {
          if (isAdded) index.set(name, LOCATION);
          else index.delete(name);
          if (isAdded) model.add(name);
          else model.delete(name);
        }
        const sorted = [...model].filter((name) => name.startsWith(prefix)).sort();
        expect(index.count(prefix)).toBe(sorted.length);
        const after = sorted.filter((name) => name > cursor);
        const { keys, hasMore } = index.page(prefix, cursor, limit);
        expect(keys).toEqual(after.slice(0, limit));
        expect(hasMore).toBe(after.length > limit);
      },
    ),
  );
});
