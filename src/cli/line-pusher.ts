import { EncodingError, UsageError } from "../errors.ts";
import { jsonOf, type Line } from "./json-lines.ts";
import { tell } from "./terminal.ts";

/** Lines of one push, and their characters. */
const MAX_LINES = 500;
const MAX_CHARACTERS = 1024 * 1024;
/** Pushes under way: beyond that the file is not read on. */
const MAX_OUTSTANDING = 8;

export interface LinePusherOptions {
  /** Of the file, for people. */
  readonly name: string;
  /** Whether a line that is no item is named and left out, and not an error. */
  readonly skipsBad: boolean;
  push(items: readonly unknown[]): Promise<void>;
}

/** Pushes the values of lines, many at a time, and says which line it is that cannot be. */
export class LinePusher {
  readonly #options: LinePusherOptions;
  #lines: Line[] = [];
  #items: unknown[] = [];
  #characters = 0;
  readonly #outstanding = new Set<Promise<void>>();
  #error: unknown;
  stored = 0;
  skipped = 0;

  constructor(options: LinePusherOptions) {
    this.#options = options;
  }

  /** Resolves when there is room for more. Throws for a line that is no item, what was before it being pushed. */
  async add(line: Line): Promise<void> {
    let value: unknown;
    try {
      value = jsonOf(line, this.#options.name);
    } catch (error) {
      await this.#bad(error);
      return;
    }
    this.#lines.push(line);
    this.#items.push(value);
    this.#characters += line.text.length;
    if (this.#items.length < MAX_LINES && this.#characters < MAX_CHARACTERS) return;
    this.#flush();
    while (this.#outstanding.size >= MAX_OUTSTANDING) await Promise.race(this.#outstanding);
    if (this.#error !== undefined) throw this.#error;
  }

  async #bad(error: unknown): Promise<void> {
    if (!this.#options.skipsBad) {
      this.#flush();
      throw error;
    }
    this.skipped++;
    tell(`warn ${(error as Error).message}`);
  }

  #flush(): void {
    if (this.#items.length === 0) return;
    const pushed = this.#push(this.#lines, this.#items)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => this.#outstanding.delete(pushed));
    this.#outstanding.add(pushed);
    this.#lines = [];
    this.#items = [];
    this.#characters = 0;
  }

  async #push(lines: readonly Line[], items: readonly unknown[]): Promise<void> {
    try {
      await this.#options.push(items);
      this.stored += items.length;
    } catch (error) {
      const index = error instanceof EncodingError ? error.details.index : undefined;
      if (typeof index !== "number") throw error;
      // One item cannot be stored, and so none of them was: the others go without it.
      if (index > 0) await this.#push(lines.slice(0, index), items.slice(0, index));
      const { name } = this.#options;
      const { code, message } = error as EncodingError;
      const named = new UsageError(code, `${name}:${lines[index]?.number}: ${message}`, { cause: error });
      if (!this.#options.skipsBad) throw named;
      await this.#bad(named);
      if (index + 1 < items.length) await this.#push(lines.slice(index + 1), items.slice(index + 1));
    }
  }

  /** Pushes what is left. Throws what went wrong with any of it. */
  async end(): Promise<void> {
    this.#flush();
    await this.settled();
    if (this.#error !== undefined) throw this.#error;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#outstanding);
  }
}
