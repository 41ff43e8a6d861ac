import { DefinitionError, describeValue, ensureError, TerminalError } from "../errors.ts";

/** Turns a message's bytes into an item and back. */
export interface QueueCodec<T = unknown> {
  /** Throws for what is no message of this kind: it becomes a dead letter with its bytes. */
  readonly decode?: (body: Uint8Array, headers: Readonly<Record<string, string>>) => T;
  readonly encode?: (item: T) => Uint8Array | string;
}

/** `"json"`, `"text"` (UTF-8), `"bytes"`, or functions of your own. */
export type CodecOption<T> = "json" | "text" | "bytes" | QueueCodec<T>;

/** The header under which a reader says that a message cannot be decoded, whatever the codec. */
export const PROBLEM = "millrace-problem";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

const CODECS: Readonly<Record<string, Required<QueueCodec>>> = {
  json: {
    decode: (body) => JSON.parse(utf8.decode(body)) as unknown,
    encode: (item) => {
      const text = JSON.stringify(item) as string | undefined;
      if (text === undefined) throw new TypeError(`${describeValue(item)} has no JSON`);
      return text;
    },
  },
  text: {
    decode: (body) => utf8.decode(body),
    encode: (item) => {
      if (typeof item === "string") return item;
      throw new TypeError(`it is ${describeValue(item)}, not a text`);
    },
  },
  bytes: {
    // n.b. a copy: what came may lie in a larger buffer.
    decode: (body) => Uint8Array.from(body),
    encode: (item) => {
      if (item instanceof Uint8Array) return item;
      throw new TypeError(`it is ${describeValue(item)}, not a Uint8Array`);
    },
  },
};

/** The codec that the option names; `verb` is what it is for. Throws DefinitionError MR_BAD_OPTION. */
export function codecOf<Verb extends "decode" | "encode">(
  given: unknown,
  verb: Verb,
  subject: string,
): Required<QueueCodec>[Verb] {
  const codec = typeof given === "string" ? CODECS[given] : given === undefined ? CODECS.json : given;
  const use = (codec as QueueCodec | undefined | null)?.[verb];
  if (typeof use === "function") return use.bind(codec) as Required<QueueCodec>[Verb];
  throw new DefinitionError(
    "MR_BAD_OPTION",
    `${subject}: codec must be "json", "text", "bytes" or an object with ${verb}(), got ${describeValue(given)}; leave it out for "json"`,
  );
}

/** Of a message or an item that will not become one by another attempt: it goes to the dead letters at once. */
export function beyondHelp(
  code: "MR_NOT_DECODABLE" | "MR_NOT_ENCODABLE" | "MR_ITEM_TOO_LARGE",
  message: string,
  cause?: unknown,
): TerminalError {
  const error = new TerminalError(message, cause === undefined ? {} : { cause: ensureError(cause) });
  return Object.assign(error, { code });
}
