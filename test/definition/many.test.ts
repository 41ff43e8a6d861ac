import { describe, expect, test } from "vitest";
import { elementsOf, isMany, many } from "../../src/definition/many.ts";

async function collect(value: unknown): Promise<unknown[] | undefined> {
  const elements = elementsOf(value);
  if (elements === undefined) return undefined;
  const found: unknown[] = [];
  for await (const element of elements) found.push(element);
  return found;
}

describe("several items", () => {
  test("are the elements of many(iterable)", async () => {
    expect(await collect(many([1, 2]))).toEqual([1, 2]);
    expect(await collect(many(new Set(["a"])))).toEqual(["a"]);
    expect(await collect(many("ab"))).toEqual(["a", "b"]);
  });

  test("are the elements of many(async iterable)", async () => {
    async function* pages() {
      yield 1;
      yield 2;
    }
    expect(await collect(many(pages()))).toEqual([1, 2]);
  });

  test("are what a generator yields, of either kind", async () => {
    function* sync() {
      yield 1;
    }
    async function* async() {
      yield 2;
    }
    expect(await collect(sync())).toEqual([1]);
    expect(await collect(async())).toEqual([2]);
  });

  test("are recognised when another copy of the package made them", async () => {
    const foreign = { [Symbol.for("millrace.many")]: [3] };
    expect(isMany(foreign)).toBe(true);
    expect(await collect(foreign)).toEqual([3]);
  });

  test("are read lazily", () => {
    let read = 0;
    many(
      (function* () {
        read++;
        yield 1;
      })(),
    );
    expect(read).toBe(0);
  });
});

test.each([
  ["a bare array", [1, 2]],
  ["a set", new Set([1])],
  ["a text", "ab"],
  ["null", null],
  ["nothing", undefined],
  ["an item with a next of its own", { next: () => 1, [Symbol.iterator]: () => [][Symbol.iterator]() }],
  ["a number", 7],
])("%s is one item", async (_, value) => {
  expect(isMany(value)).toBe(false);
  expect(await collect(value)).toBeUndefined();
});

test("many() refuses what cannot be iterated over", () => {
  for (const value of [1, null, undefined, {}, () => []]) {
    expect(() => many(value as never)).toThrow(/^many\(\): it takes an iterable, got .+; /);
  }
});
