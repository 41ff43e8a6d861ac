/**
 * Rules that options are read by. A rule turns what the user wrote into what the engine works with, or refuses
 * it with expected and got; groups of named fields carry defaults and documentation, so that one table
 * validates, defaults and documents.
 */
import { DefinitionError, describeValue } from "../errors.ts";

/** Where a value stands: `stage charge of pipeline orders`, `retry.attempts`. */
export interface Place {
  readonly subject: string;
  readonly path: string;
  /** What to do about a bad value here. */
  readonly remedy?: string;
}

export interface Rule<T> {
  /** Completes the sentence "it must be …". */
  readonly expects: string;
  /** Reads what the user wrote; throws DefinitionError MR_BAD_OPTION. */
  readonly read: (value: unknown, place: Place) => T;
  /** Of a group: what it consists of. */
  readonly fields?: Fields;
}

export interface Field<T> {
  readonly rule: Rule<T>;
  /** One sentence for the documentation. */
  readonly about: string;
  readonly presence: "required" | "optional";
  /** The default as a user would write it; it goes through the rule like any other value. */
  readonly standard?: unknown;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A field that must be given. */
export function required<T>(rule: Rule<T>, about: string): Field<T> {
  return { rule, about, presence: "required" };
}

/** A field that may be left out, and then is undefined. */
export function optional<T>(rule: Rule<T>, about: string): Field<T | undefined> {
  return { rule, about, presence: "optional" };
}

/** A field that may be left out, and then has the default. */
export function standard<T>(rule: Rule<T>, value: unknown, about: string): Field<T> {
  return { rule, about, presence: "optional", standard: value };
}

/** A rule made of a function that gives undefined for what it does not accept. */
export function rule<T>(expects: string, convert: (value: unknown) => T | undefined): Rule<T> {
  return {
    expects,
    read(value, place) {
      const converted = convert(value);
      if (converted === undefined) throw refusal(place, expects, value);
      return converted;
    },
  };
}

/**
 * An object with these fields and no others.
 *
 * @param finish turns the values into what the engine wants, or refuses their combination.
 */
export function group<F extends Fields, T = Values<F>>(
  fields: F,
  finish: (values: Values<F>, place: Place) => T = (values) => values as T,
): Rule<T> {
  const names = Object.keys(fields);
  const expects = `an object of ${names.join(", ")}`;
  return {
    expects,
    fields,
    read(value, place) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        throw refusal(place, expects, value);
      }
      const given = value as Readonly<Record<string, unknown>>;
      const unknown = Object.keys(given).find((name) => !Object.hasOwn(fields, name));
      if (unknown !== undefined) throw unknownOption(within(place, unknown), names);
      const values = Object.entries(fields).map(([name, field]) => {
        return [name, readField(field, given[name], within(place, name))];
      });
      return finish(Object.fromEntries(values) as Values<F>, place);
    },
  };
}

/** Reads a whole set of options; left out, all of them have their defaults. */
export function readOptions<T>(rule: Rule<T>, options: unknown, subject: string): T {
  return rule.read(options === undefined ? {} : options, { subject, path: "" });
}

function readField(field: Field<unknown>, value: unknown, place: Place): unknown {
  const given = value === undefined ? field.standard : value;
  if (given === undefined && field.presence === "optional") return undefined;
  return field.rule.read(given, { ...place, remedy: adviceFor(field) });
}

function adviceFor(field: Field<unknown>): string {
  if (field.presence === "required") return "give it such a value";
  if (field.standard === undefined || field.rule.fields !== undefined)
    return "leave it out, or give it such a value";
  return `leave it out for ${JSON.stringify(field.standard)}, or give it such a value`;
}

function within(place: Place, name: string): Place {
  return { subject: place.subject, path: place.path === "" ? name : `${place.path}.${name}` };
}

/** The error for a value that a rule does not accept. */
export function refusal(place: Place, expects: string, value: unknown): DefinitionError {
  const what = place.path === "" ? "its options" : place.path;
  const got = value === undefined ? "nothing" : describeValue(value);
  return new DefinitionError(
    "MR_BAD_OPTION",
    `${place.subject}: ${what} must be ${expects}, got ${got}; ${place.remedy ?? "give it such a value"}`,
  );
}

/** The error for an option that is not there. */
export function unknownOption(place: Place, known: readonly string[]): DefinitionError {
  return new DefinitionError(
    "MR_BAD_OPTION",
    `${place.subject}: there is no option ${place.path}; the options here are ${known.join(", ")}`,
  );
}

/** One option as the documentation lists it. */
export interface OptionEntry {
  /** `retry.backoff.factor`. */
  readonly path: string;
  readonly expects: string;
  /** As a user would write it; undefined without a default. */
  readonly standard: unknown;
  readonly required: boolean;
  readonly about: string;
}

/** Every option of a group with those of its groups, in the order of the table. */
export function optionEntries(rule: Rule<unknown>, prefix = ""): readonly OptionEntry[] {
  return Object.entries(rule.fields ?? {}).flatMap(([name, field]) => {
    const path = prefix === "" ? name : `${prefix}.${name}`;
    const { expects } = field.rule;
    const required = field.presence === "required";
    const entry = { path, expects, standard: field.standard, required, about: field.about };
    return [entry, ...optionEntries(field.rule, path)];
  });
}
