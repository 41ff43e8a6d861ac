import type { Logger } from "../definition/logger.ts";
import { ensureError, StageError } from "../errors.ts";
import type { BadRow, OnBadRow } from "./bad-row.ts";

/** Bad rows that are logged one by one; after them only their number is. */
const LOGGED = 10;
const SHOWN_CHARACTERS = 200;

/** Deals with the bad rows of one file as the source's options say. */
export class BadRows<T> {
  readonly #file: string;
  readonly #policy: OnBadRow<T>;
  readonly #log: Logger;
  #skipped = 0;

  constructor(file: string, policy: OnBadRow<T>, log: Logger) {
    this.#file = file;
    this.#policy = policy;
    this.#log = log;
  }

  /** The error that ends the source, or undefined; what stands in for the row is added to `items`. */
  take(row: Omit<BadRow, "file">, reason: string, items: T[]): StageError | undefined {
    const { line, text } = row;
    const place = `${this.#file}:${line}`;
    if (this.#policy === "skip") {
      if (++this.#skipped <= LOGGED) this.#log.warn({ row: shown(text) }, `${place}: left out: ${reason}`);
      return undefined;
    }
    const error = new StageError(
      "MR_BAD_ROW",
      `${place}: ${reason}, in ${shown(text)}; correct it and resume, or pass onBadRow: "skip" or a function`,
      { scope: "stage", details: { file: this.#file, line, text: shown(text) } },
    );
    if (this.#policy === "fail") return error;
    try {
      const item = this.#policy({ file: this.#file, line, text }, error);
      if (item !== undefined) items.push(item as T);
      return undefined;
    } catch (thrown) {
      const cause = ensureError(thrown);
      return new StageError(
        "MR_BAD_ROW",
        `${place}: ${reason}, and onBadRow threw ${cause.name}: ${cause.message}; correct the function and resume`,
        { scope: "stage", cause },
      );
    }
  }

  /** The file is at its end. */
  end(): void {
    if (this.#skipped > LOGGED)
      this.#log.warn({ rows: this.#skipped }, `${this.#file}: ${this.#skipped} bad rows were left out`);
  }
}

function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
}
