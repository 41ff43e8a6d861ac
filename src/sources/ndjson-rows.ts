import { ensureError } from "../errors.ts";
import type { BadRows } from "./bad-rows.ts";
import type { LineBlock } from "./line-blocks.ts";
import { withoutReturn } from "./line-rows.ts";
import type { RowReader, Rows } from "./row-reader.ts";

/** Every line that is not blank is a JSON document. */
export class NdjsonRows<T> implements RowReader<T> {
  readonly state = undefined;
  readonly #badRows: BadRows<T>;

  constructor(badRows: BadRows<T>) {
    this.#badRows = badRows;
  }

  read({ lines, firstLine }: LineBlock): Rows<T> {
    const items: T[] = [];
    for (const [i, line] of lines.entries()) {
      try {
        items.push(JSON.parse(line) as T);
      } catch (thrown) {
        const text = withoutReturn(line);
        if (text.trim() === "") continue;
        const reason = `it is not JSON (${ensureError(thrown).message})`;
        const error = this.#badRows.take({ line: firstLine + i, text }, reason, items);
        if (error !== undefined) return { items, upTo: i, error };
      }
    }
    return { items, upTo: lines.length };
  }

  end(): Rows<T> {
    this.#badRows.end();
    return { items: [], upTo: undefined };
  }
}
