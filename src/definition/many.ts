import { describeValue, MillraceError } from "../errors.ts";

/** Marks what {@link many} returns; a registered symbol, so that it is the same in every copy of the package. */
export const MANY: unique symbol = Symbol.for("millrace.many") as never;

/** Several output items in place of one: what {@link many} returns. */
export interface Many<T> {
  readonly [MANY]: Iterable<T> | AsyncIterable<T>;
}

/**
 * Says that a stage gives back every element of `iterable` as an item of its own. A bare array is one item;
 * `many(array)` is as many as it has elements. The iterable is read lazily, once.
 *
 * @throws MillraceError MR_BAD_RETURN when `iterable` cannot be iterated over.
 */
export function many<T>(iterable: Iterable<T> | AsyncIterable<T>): Many<T> {
  if (!isIterable(iterable)) {
    const message = `many(): it takes an iterable, got ${describeValue(iterable)}; return a single item as it is`;
    throw new MillraceError("MR_BAD_RETURN", message, { scope: "item" });
  }
  return { [MANY]: iterable };
}

/** Whether `value` was made by {@link many}, of this or another copy of the package. */
export function isMany(value: unknown): value is Many<unknown> {
  return typeof value === "object" && value !== null && MANY in value;
}

/**
 * The elements of a stage's return value that stands for several items: of {@link many}, of a generator or of an
 * async generator. Undefined for any other value, which is one item (or none).
 */
export function elementsOf(value: unknown): Iterable<unknown> | AsyncIterable<unknown> | undefined {
  if (isMany(value)) return value[MANY];
  return isGenerator(value) ? value : undefined;
}

function isGenerator(value: unknown): value is Generator | AsyncGenerator {
  // By tag, not by method: an item with a `next` of its own is still an item.
  const tag = Object.prototype.toString.call(value);
  return (tag === "[object Generator]" || tag === "[object AsyncGenerator]") && isIterable(value);
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  if (value === null || value === undefined) return false;
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = value as Partial<
    Iterable<unknown> & AsyncIterable<unknown>
  >;
  return typeof sync === "function" || typeof async === "function";
}
