import { BackplaneError, describeValue, EncodingError } from "../errors.ts";

/**
 * The JSON text of plain data. Unlike JSON.stringify it refuses what would arrive as something else: functions,
 * symbols, bigint, NaN, Date, Map, typed arrays, Error. A property that is undefined is left out.
 *
 * Throws MR_NOT_ENCODABLE with the property's name, and MR_MESSAGE_TOO_LARGE above `limitBytes`. `subject` begins
 * the message.
 */
export function encodePlain(value: unknown, limitBytes: number, subject: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, function (this: unknown, key: string) {
      const raw = (this as Record<string, unknown>)[key]; // before any toJSON
      // In an array, undefined would arrive as null.
      if (!isPlain(raw) || (raw === undefined && Array.isArray(this))) {
        const where = key === "" ? "the value" : `property ${describeValue(key)}`;
        throw notEncodable(subject, `${where} is ${describeKind(raw)}`);
      }
      return raw;
    });
  } catch (thrown) {
    if (thrown instanceof EncodingError) throw thrown;
    throw notEncodable(subject, "it is circular or nested too deeply", thrown);
  }
  if (text === undefined) throw notEncodable(subject, "it is undefined");
  const bytes = Buffer.byteLength(text);
  if (bytes > limitBytes) {
    throw new BackplaneError(
      "MR_MESSAGE_TOO_LARGE",
      `${subject}: ${bytes} bytes are more than the ${limitBytes} that it may have; put large data into a file or an object bucket and send its name`,
      { details: { bytes, limitBytes } },
    );
  }
  return text;
}

function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      // By tag and not by prototype: plain objects of another realm are plain too.
      return (
        value === null || Array.isArray(value) || Object.prototype.toString.call(value) === "[object Object]"
      );
    default:
      return false;
  }
}

function describeKind(value: unknown): string {
  if (typeof value === "object") return Object.prototype.toString.call(value).slice(8, -1);
  return typeof value === "number" ? String(value) : `a ${typeof value}`;
}

function notEncodable(subject: string, why: string, cause?: unknown): EncodingError {
  return new EncodingError("MR_NOT_ENCODABLE", `${subject}: ${why}; use plain JSON data`, { cause });
}
