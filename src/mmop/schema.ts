import { describeValue, ProtocolError } from "../errors.ts";

/** Reads a value out of untrusted data; throws MR_PROTOCOL with the path of the field that is not as it must be. */
export interface Field<T> {
  readonly read: (value: unknown, path: string) => T;
  /** What is expected, for messages and documents: `text`, `integer from 0` … */
  readonly expects: string;
  readonly optional?: boolean;
  /** Of an object: its fields. */
  readonly fields?: Fields;
  /** Of a list, a record or a choice: what it consists of. */
  readonly parts?: readonly Field<unknown>[];
}
export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Of<F> = F extends Field<infer T> ? T : never;

type Optional<T> = Field<T> & { readonly optional: true };
type OptionalKeys<F> = { [K in keyof F]: F[K] extends { readonly optional: true } ? K : never }[keyof F];
type Flat<T> = { readonly [K in keyof T]: T[K] };
export type ObjectOf<F> = Flat<
  { [K in Exclude<keyof F, OptionalKeys<F>>]: Of<F[K]> } & { [K in OptionalKeys<F>]?: Of<F[K]> }
>;

export const text = scalar("text", (value): value is string => typeof value === "string");
export const flag = scalar("true or false", (value): value is boolean => typeof value === "boolean");
export const number = scalar("number", (value): value is number => Number.isFinite(value));
export const count = scalar(
  "integer from 0",
  (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0,
);
export const json = scalar("any JSON", (value): value is unknown => value !== undefined);

export function oneOf<const T extends string>(...choices: readonly T[]): Field<T> {
  return scalar(`one of ${choices.join(", ")}`, (value): value is T => choices.includes(value as T));
}

export function nullable<T>(field: Field<T>): Field<T | null> {
  const expects = `${field.expects}, or null`;
  return {
    expects,
    parts: [field],
    read: (value, path) => (value === null ? null : field.read(value, path)),
  };
}

export function optional<T>(field: Field<T>): Optional<T> {
  return { ...field, optional: true };
}

export function list<T>(item: Field<T>): Field<readonly T[]> {
  const array = scalar("list", Array.isArray);
  const read = (value: unknown, path: string) =>
    array.read(value, path).map((each, at) => item.read(each, `${path}.${at}`));
  return { expects: "list", parts: [item], read };
}

export function record<T>(item: Field<T>): Field<Readonly<Record<string, T>>> {
  const read = (value: unknown, path: string) =>
    Object.fromEntries(
      Object.entries(plain.read(value, path)).map(([key, each]) => [key, item.read(each, `${path}.${key}`)]),
    );
  return { expects: "object", parts: [item], read };
}

/** Knows these fields and ignores others; with `open` it hands the others on unread. */
export function object<const F extends Fields>(
  fields: F,
  options?: { readonly open: true },
): Field<ObjectOf<F>> {
  const read = (value: unknown, path: string) => {
    const given = plain.read(value, path);
    const known = Object.entries(fields).filter(
      ([key, field]) => !field.optional || Object.hasOwn(given, key),
    );
    const taken = known.map(([key, field]) => [
      key,
      field.read(own(given, key), path === "" ? key : `${path}.${key}`),
    ]);
    return Object.fromEntries(options?.open ? [...Object.entries(given), ...taken] : taken) as ObjectOf<F>;
  };
  return { expects: "object", fields, read };
}

/** One of two objects, told apart by `outcome`: `success` or `failure`. */
export function outcome<const S extends Fields, const F extends Fields>(success: S, failure: F) {
  const good = object({ outcome: oneOf("success"), ...success });
  const bad = object({ outcome: oneOf("failure"), ...failure });
  const which = object({ outcome: oneOf("success", "failure") });
  const read = (value: unknown, path: string) =>
    (which.read(value, path).outcome === "success" ? good : bad).read(value, path);
  return { expects: "object", parts: [good, bad], read } satisfies Field<Of<typeof good> | Of<typeof bad>>;
}

const plain = scalar(
  "object",
  (value): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value),
);

function own(given: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(given, key) ? given[key] : undefined;
}

function scalar<T>(expects: string, accepts: (value: unknown) => value is T): Field<T> {
  const read = (value: unknown, path: string): T => {
    if (accepts(value)) return value;
    const field = path === "" ? "message" : path;
    throw new ProtocolError(
      "MR_PROTOCOL",
      `field ${field}: ${value === undefined ? "missing" : describeValue(value)}, expected ${expects}; send what the protocol says`,
      { details: { field } },
    );
  };
  return { expects, read };
}
