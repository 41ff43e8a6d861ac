import * as fc from "fast-check";

/** What an object's own key may be: `__proto__` arrives by another name. */
const isPlainKey = (key: string): boolean => key !== "__proto__";

const keys = fc.oneof(
  fc.string({ maxLength: 8 }).filter(isPlainKey),
  fc.constantFrom("id", "total", "name", "0", "", "constructor", "toString"),
);

/** Text as UTF-8 can carry it: a lone surrogate has no bytes of its own (see "a lone surrogate"). */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.string({ minLength: 30, maxLength: 80 }),
);

const bytes = fc.uint8Array({ maxLength: 40 });
const typedArrays = fc.oneof(
  bytes,
  bytes.map((array) => Buffer.from(array)),
  fc.float32Array({ maxLength: 5 }),
  fc.float64Array({ maxLength: 5 }),
  fc.int16Array({ maxLength: 5 }),
  fc.uint32Array({ maxLength: 5 }),
  fc.bigInt64Array({ maxLength: 5 }),
  fc.bigUint64Array({ maxLength: 5 }),
);

/** A negative zero comes back as zero; everything else is the same number. */
const numbers = fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger()).map((n) => (n === 0 ? 0 : n));

const scalars = fc.oneof(
  text,
  numbers,
  fc.boolean(),
  fc.constantFrom(null, undefined, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 700n), max: 2n ** 700n }),
  fc.date({ noInvalidDate: true }),
);

/** Any item that a stage may give back. */
export const items: fc.Arbitrary<unknown> = fc.letrec<{ item: unknown }>((tie) => ({
  item: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalars,
    typedArrays,
    fc.array(tie("item"), { maxLength: 6 }),
    fc.dictionary(keys, tie("item"), { maxKeys: 6, noNullPrototype: true }),
    fc.array(fc.tuple(tie("item"), tie("item")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("item"), { maxLength: 4 }).map((values) => new Set(values)),
  ),
})).item;

/** Objects whose keys are data: each brings a new shape, more than a table may hold. */
export const shapes: fc.Arbitrary<unknown> = fc.oneof(
  items,
  fc.dictionary(fc.string({ minLength: 1, maxLength: 12 }).filter(isPlainKey), fc.integer(), {
    maxKeys: 12,
    noNullPrototype: true,
  }),
  fc.nat({ max: 400 }).map((n) => ({ [`key-${n}`]: n, [`other-${n % 7}`]: { [`inner-${n}`]: [n] } })),
  fc
    .nat({ max: 60 })
    .map((n) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`column-${n}-${i}`.padEnd(40, "x"), i])),
    ),
  fc.nat({ max: 30 }).map((n) => Array.from({ length: n }, (_, i) => ({ [`shape-${n}-${i}`]: i }))),
);

/** What no stage may give back. */
export const unencodable: fc.Arbitrary<unknown> = fc.constantFrom<unknown>(
  () => 1,
  Symbol("s"),
  Promise.resolve(1),
  new WeakMap(),
  new WeakSet(),
  new WeakRef({}),
);
