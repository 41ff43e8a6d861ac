import { ensureError } from "../errors.ts";
import { type CsvType, type FieldReader, fieldReader } from "./csv-types.ts";

/** The columns of a file: their names, and what their texts become. */
export class CsvColumns {
  readonly names: readonly string[];
  readonly #readers: readonly (FieldReader | undefined)[];

  private constructor(names: readonly string[], types: Readonly<Record<string, CsvType>>) {
    this.names = names;
    this.#readers = names.map((name) => {
      const type = Object.hasOwn(types, name) ? types[name] : undefined;
      return type === undefined ? undefined : fieldReader(type);
    });
  }

  /** A text says what is wrong with the names. */
  static of(names: readonly string[], types: Readonly<Record<string, CsvType>>): CsvColumns | string {
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) return `there are two columns ${JSON.stringify(twice)}`;
    if (names.includes("__proto__")) return 'a column cannot be called "__proto__"';
    const unknown = Object.keys(types).find((name) => !names.includes(name));
    if (unknown === undefined) return new CsvColumns(names, types);
    return `there is no column ${JSON.stringify(unknown)}, which has a type; the columns are ${names.join(", ")}`;
  }

  /** A row as an object; a text says what is wrong with it. */
  record(fields: readonly string[]): Readonly<Record<string, unknown>> | string {
    const { names } = this;
    if (fields.length !== names.length) {
      return `it has ${fields.length} ${fields.length === 1 ? "field" : "fields"}, not ${names.length}`;
    }
    const record: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      const field = fields[i] as string;
      const read = this.#readers[i];
      try {
        record[name] = read === undefined ? field : read(field);
      } catch (thrown) {
        return `column ${JSON.stringify(name)}: ${ensureError(thrown).message}`;
      }
    }
    return record;
  }
}
