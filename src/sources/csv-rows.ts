import { StageError } from "../errors.ts";
import type { BadRows } from "./bad-rows.ts";
import { CsvColumns } from "./csv-columns.ts";
import { type CsvDialect, countQuotes, splitRecord } from "./csv-record.ts";
import type { CsvType } from "./csv-types.ts";
import type { LineBlock } from "./line-blocks.ts";
import { withoutReturn } from "./line-rows.ts";
import type { RowReader, Rows } from "./row-reader.ts";

export interface CsvSettings extends CsvDialect {
  /** `header`: the first row names them; `none`: a row is the array of its fields. */
  readonly columns: readonly string[] | "header" | "none";
  readonly types: Readonly<Record<string, CsvType>>;
  /** A record with line feeds in its fields may have so many characters. */
  readonly maxRecord: number;
}

/**
 * Makes records of lines. A line with an odd number of quotes goes on in the next ones; when what comes of that is no
 * record, its first line alone is the bad row and reading goes on behind it: a stray quote costs one row.
 */
export class CsvRows<T> implements RowReader<T> {
  readonly #path: string;
  readonly #settings: CsvSettings;
  readonly #badRows: BadRows<T>;
  #columns: CsvColumns | undefined;
  /** The lines of a record whose end has not come, and the number of the first. */
  #open: readonly string[] = [];
  #openLine = 0;

  constructor(path: string, settings: CsvSettings, badRows: BadRows<T>, state: unknown) {
    this.#path = path;
    this.#settings = settings;
    this.#badRows = badRows;
    if (state !== undefined) this.#name(state as readonly string[], 1);
    else if (typeof settings.columns !== "string") this.#name(settings.columns, 1);
  }

  /** The names of the columns, once they are known. */
  get state(): unknown {
    return this.#columns?.names;
  }

  read({ lines, firstLine }: LineBlock): Rows<T> {
    if (this.#open.length === 0) return this.#records(lines, firstLine, 0, false);
    return this.#records([...this.#open, ...lines], this.#openLine, this.#open.length, false);
  }

  end(): Rows<T> {
    const rows = this.#records(this.#open, this.#openLine, this.#open.length, true);
    this.#badRows.end();
    return rows;
  }

  /** `before`: how many of the lines are of earlier blocks. */
  #records(lines: readonly string[], firstLine: number, before: number, isLast: boolean): Rows<T> {
    const items: T[] = [];
    const upTo = (index: number): number | undefined => (index >= before ? index - before : undefined);
    this.#open = [];
    for (let i = 0; i < lines.length; ) {
      const count = this.#linesOfRecord(lines, i);
      if (count === undefined && !isLast) {
        this.#open = lines.slice(i);
        this.#openLine = firstLine + i;
        return { items, upTo: upTo(i) };
      }
      const first = withoutReturn(lines[i] as string);
      const text =
        (count ?? 1) === 1 ? first : withoutReturn(lines.slice(i, i + (count as number)).join("\n"));
      const trouble = this.#take(text, firstLine + i, items);
      if (trouble === undefined) {
        i += count ?? 1;
        continue;
      }
      const error = this.#badRows.take({ line: firstLine + i, text: first }, trouble, items);
      if (error !== undefined) return { items, upTo: upTo(i), error };
      i += 1;
    }
    return { items, upTo: upTo(lines.length) };
  }

  /** Lines from `index` on that make a record; undefined when its end is not among them. */
  #linesOfRecord(lines: readonly string[], index: number): number | undefined {
    const { quote, maxRecord } = this.#settings;
    if (quote === undefined) return 1;
    let isOpen = false;
    let length = 0;
    for (let i = index; i < lines.length; i++) {
      const line = lines[i] as string;
      if (line.includes(quote) && countQuotes(line, quote) % 2 === 1) isOpen = !isOpen;
      if (!isOpen) return i - index + 1;
      length += line.length;
      // n.b. its first line alone is no record either: that is how it is found to be bad.
      if (length > maxRecord) return 1;
    }
    return undefined;
  }

  /** Adds the item of a record; a text says what is wrong with it. */
  #take(text: string, line: number, items: T[]): string | undefined {
    if (text === "") return undefined;
    const fields = splitRecord(text, this.#settings);
    if (typeof fields === "string") return fields;
    if (this.#settings.columns === "none") items.push(fields as T);
    else if (this.#columns === undefined) this.#name(fields, line);
    else {
      const record = this.#columns.record(fields);
      if (typeof record === "string") return record;
      items.push(record as T);
    }
    return undefined;
  }

  /** n.b. no choice of onBadRow: without columns there are no rows. */
  #name(names: readonly string[], line: number): void {
    const columns = CsvColumns.of(names, this.#settings.types);
    if (typeof columns === "string") {
      throw new StageError(
        "MR_BAD_ROW",
        `${this.#path}:${line}: ${columns}; correct the file or the options`,
        {
          scope: "stage",
        },
      );
    }
    this.#columns = columns;
  }
}
