import { EncodingError, UsageError } from "../errors.ts";
import { ItemEncoder } from "../wire/item-codec.ts";
import { StoredBlob } from "../wire/stored-blob.ts";

/**
 * Items as JSON that loses nothing, to be edited and read back. What JSON has stands for itself. The rest is an object
 * with one key:
 *
 * - `$date`: ISO 8601 text, or null for an invalid one
 * - `$map`: array of [key, value]; `$set`: array
 * - `$bigint`: digits; `$number`: "NaN", "Infinity", "-Infinity", "-0"; `$undefined`: true
 * - `$bytes`: base64 text; `$array`: [name of the typed array or "ArrayBuffer", base64 of its bytes]
 * - `$regexp`: [source, flags]; `$blob`: [id, bytes]
 * - `$object`: an object that has one key which begins with "$"
 */

const ARRAYS = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
} as const;

/** Throws EncodingError MR_NOT_ENCODABLE for a value that JSON cannot hold like this: an Error, say. */
export function exactJson(value: unknown): unknown {
  const json = tagged(value);
  // n.b. what is edited and stored must be what was there; whatever this file does not know shows here.
  if (!encoded(value).equals(encoded(untagged(json, "$"))))
    throw refused("it is of a kind that JSON would change");
  return json;
}

/** Reverse of {@link exactJson}. Throws UsageError MR_USAGE, with the place, for a tag that is none. */
export function fromExactJson(json: unknown): unknown {
  return untagged(json, "$");
}

function encoded(value: unknown): Buffer {
  return Buffer.from(new ItemEncoder().encode(value));
}

function refused(why: string): EncodingError {
  return new EncodingError(
    "MR_NOT_ENCODABLE",
    `item: ${why}; edit it with a function: millrace dead edit … --with MODULE`,
    { scope: "item" },
  );
}

function tagged(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
      return { $bigint: value.toString() };
    case "undefined":
      return { $undefined: true };
    case "object":
      return value === null ? null : taggedObject(value);
    default:
      throw refused(`JSON has no ${typeof value}`);
  }
}

function taggedObject(value: object): unknown {
  if (Array.isArray(value)) return Array.from(value, tagged);
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() };
  if (value instanceof Map) return { $map: Array.from(value, (entry) => entry.map(tagged)) };
  if (value instanceof Set) return { $set: Array.from(value, tagged) };
  if (Buffer.isBuffer(value)) return { $bytes: base64(value) };
  if (value instanceof ArrayBuffer) return { $array: ["ArrayBuffer", base64(new Uint8Array(value))] };
  if (value instanceof RegExp) return { $regexp: [value.source, value.flags] };
  if (value instanceof StoredBlob) return { $blob: [value.id, value.size] };
  const name = value.constructor?.name ?? "";
  if (ArrayBuffer.isView(value) && name in ARRAYS) return { $array: [name, base64(value)] };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw refused(`JSON has no ${name}`);
  const entries = Object.entries(value).map(([key, part]) => [key, tagged(part)] as const);
  const object = Object.fromEntries(entries);
  return entries.length === 1 && entries[0]?.[0].startsWith("$") ? { $object: object } : object;
}

function base64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("base64");
}

const UNTAG: Readonly<Record<string, (json: never, path: string) => unknown>> = {
  $date: (json: string | null) => new Date(json ?? Number.NaN),
  $map: (json: [unknown, unknown][], path) =>
    new Map(json.map(([key, part], i) => [untagged(key, `${path}[${i}]`), untagged(part, `${path}[${i}]`)])),
  $set: (json: unknown[], path) => new Set(json.map((part, i) => untagged(part, `${path}[${i}]`))),
  $bigint: (json: string) => BigInt(json),
  $number: (json: string) => Number(json),
  $undefined: () => undefined,
  $bytes: (json: string) => Buffer.from(json, "base64"),
  $array: ([name, text]: [keyof typeof ARRAYS | "ArrayBuffer", string]) => {
    const { buffer, byteOffset, byteLength } = Buffer.from(text, "base64");
    const bytes = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    return name === "ArrayBuffer" ? bytes : new ARRAYS[name](bytes);
  },
  $regexp: ([source, flags]: [string, string]) => new RegExp(source, flags),
  $blob: ([id, size]: [string, number]) => new StoredBlob(id, size),
  $object: (json: Record<string, unknown>, path) => objectOf(json, path),
};

function untagged(json: unknown, path: string): unknown {
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map((part, i) => untagged(part, `${path}[${i}]`));
  const keys = Object.keys(json);
  const [key = ""] = keys;
  if (keys.length !== 1 || !key.startsWith("$")) return objectOf(json as Record<string, unknown>, path);
  const read = Object.hasOwn(UNTAG, key) ? UNTAG[key] : undefined;
  try {
    if (read === undefined) throw new RangeError(`there are ${Object.keys(UNTAG).join(", ")}`);
    return read((json as Record<string, unknown>)[key] as never, `${path}.${key}`);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new UsageError(
      "MR_USAGE",
      `item at ${path}: ${JSON.stringify(json).slice(0, 120)} stands for no value (${(cause as Error).message}); write it as \`dead show --exact\` does`,
      { cause },
    );
  }
}

function objectOf(json: Readonly<Record<string, unknown>>, path: string): Record<string, unknown> {
  // n.b. fromEntries defines, so that a key called __proto__ is a key like any other.
  return Object.fromEntries(
    Object.entries(json).map(([key, part]) => [key, untagged(part, `${path}.${key}`)]),
  );
}
