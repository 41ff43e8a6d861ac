/**
 * An item as JSON, for people and programs that read dead letters. What JSON has comes out as it is; of the rest:
 *
 * - Date: ISO 8601 text; an invalid one: null
 * - Map: an object when all keys are text, otherwise an array of [key, value]; Set: an array
 * - bigint: its digits as text; NaN and the infinities: their names as text
 * - bytes (Buffer, Uint8Array, ArrayBuffer): base64 text; other typed arrays: arrays of their numbers
 * - Error: { name, message, stack }; RegExp: its source as text
 * - undefined: left out of objects, null elsewhere
 *
 * n.b. one way only: what is stored is the item itself.
 */
export function itemAsJson(value: unknown): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : objectAsJson(value);
    default:
      return null;
  }
}

function objectAsJson(value: object): unknown {
  if (Array.isArray(value)) return Array.from(value, itemAsJson);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Map) {
    const entries = [...value];
    if (entries.every(([key]) => typeof key === "string")) return objectOf(entries as [string, unknown][]);
    return entries.map((entry) => entry.map(itemAsJson));
  }
  if (value instanceof Set) return Array.from(value, itemAsJson);
  if (value instanceof Uint8Array) return base64(value);
  if (value instanceof ArrayBuffer) return base64(new Uint8Array(value));
  if (value instanceof DataView)
    return base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (ArrayBuffer.isView(value))
    return Array.from(value as unknown as ArrayLike<number | bigint>, itemAsJson);
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack ?? "" };
  if (value instanceof RegExp) return String(value);
  return objectOf(Object.entries(value));
}

/** n.b. fromEntries defines, so that a key called __proto__ is a key like any other. */
function objectOf(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(
    entries.filter(([, part]) => part !== undefined).map(([key, part]) => [key, itemAsJson(part)]),
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
