import { group, optional, readOptions, rule, standard } from "../definition/rule.ts";
import type { OnBadRow } from "./bad-row.ts";
import type { CsvType } from "./csv-types.ts";
import { FILE_FIELDS, type FileOptions, fileSource, type ReadySource } from "./file-source.ts";
import { type FileSpec, subjectOf } from "./file-spec.ts";
import { onBadRow } from "./on-bad-row.ts";

export interface CsvOptions<T> extends FileOptions {
  /** Names, for files without a first row that gives them. `false`: no names, a row is an array of its fields. */
  readonly columns?: readonly string[] | false;
  /** Default `","`. */
  readonly delimiter?: string;
  /** One character; `false`: no field is quoted. Default `'"'`. */
  readonly quote?: string | false;
  /**
   * What the texts of a column become: `"number"`, `"boolean"` (true, false, 1, 0), `"date"` - each null where the field
   * is empty -, or what a function makes of them. A field that is none makes a bad row. Default: text.
   */
  readonly types?: { readonly [K in keyof T & string]?: CsvType };
  /** What becomes of a row that is no record, or has another number of fields, or a field of a wrong type. Default `"fail"`. */
  readonly onBadRow?: OnBadRow<T>;
}

const TYPES = ["string", "number", "boolean", "date"];

const names = rule<readonly string[] | "none">("a list of names, or false", (value) => {
  if (value === false) return "none";
  const isList = Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string");
  return isList && new Set(value).size === value.length ? (value as string[]) : undefined;
});
const text = rule("a text that is not empty", (value) =>
  typeof value === "string" && value !== "" && !value.includes("\n") ? value : undefined,
);
const quote = rule<{ readonly mark: string | undefined }>("one character, or false", (value) => {
  if (value === false) return { mark: undefined };
  return typeof value === "string" && value.length === 1 && value !== "\n" ? { mark: value } : undefined;
});
const types = rule<Readonly<Record<string, CsvType>>>(
  'an object whose values are "string", "number", "boolean", "date" or functions',
  (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const isType = (type: unknown): boolean => typeof type === "function" || TYPES.includes(type as string);
    return Object.values(value).every(isType) ? (value as Record<string, CsvType>) : undefined;
  },
);

const OPTIONS = group({
  ...FILE_FIELDS,
  columns: optional(names, "Names of the columns, for files that do not begin with them."),
  delimiter: standard(text, ",", "Stands between two fields."),
  quote: standard(quote, '"', "Stands around a field that holds delimiters, quotes or line feeds."),
  types: standard(types, {}, "What the texts of a column become."),
  onBadRow: standard(onBadRow, "fail", "What becomes of a bad row."),
});

/**
 * A source of the rows of CSV files, as objects. Each file begins with the names of its columns unless `columns` says
 * otherwise; blank lines are left out. The rest is as in {@link lines}. `T` is your word for what `types` makes of the
 * fields: say both alike.
 *
 * ```ts
 * type Flight = { origin: string; delay: number | null };
 * const flights = p.source("flights", csv<Flight>("data/flights-*.csv", { types: { delay: "number" } }));
 * ```
 *
 * @throws DefinitionError MR_BAD_OPTION. The source fails as `lines` does, and with MR_BAD_ROW.
 */
export function csv<T = Record<string, string>, Params = unknown>(
  file: FileSpec<Params>,
  options?: CsvOptions<T>,
): ReadySource<T, Params> {
  const subject = subjectOf("csv", file);
  const { columns, delimiter, quote, types, onBadRow, ...settings } = readOptions(OPTIONS, options, subject);
  const format = {
    columns: columns ?? ("header" as const),
    delimiter,
    quote: quote.mark,
    types,
    maxRecord: settings.maxLine,
  };
  return fileSource(subject, file, settings, async () => {
    const [{ BadRows }, { CsvRows }] = await Promise.all([import("./bad-rows.ts"), import("./csv-rows.ts")]);
    return (path, state, ctx) =>
      new CsvRows<T>(path, format, new BadRows(path, onBadRow as OnBadRow<T>, ctx.log), state);
  });
}
