import { createLogUpdate } from "log-update";

/** What is needed of a terminal's stream. */
export interface TerminalStream {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface PrintedText {
  readonly text: string;
  /** Set where it goes another way to the same terminal. */
  readonly direct?: (text: string) => void;
}

/** The terminal shows what comes between these at once; one that does not know them ignores them. */
const AS_ONE = ["\u001b[?2026h", "\u001b[?2026l"] as const;
const ERASE_LINE_AND_GO_UP = "\u001b[2K\u001b[1A";

/**
 * The lines at the bottom of a terminal that are painted again and again, and above them what stays.
 *
 * 1. What is printed and the repainted lines go out in one write: nothing can come between and tear them.
 * 2. The cursor is never hidden and no mode of the terminal is changed: however the process ends, there is nothing
 *    to be put right.
 * 3. Painted lines must be shorter than the terminal is wide, and fewer than it is high.
 */
export class Screen {
  readonly #stream: TerminalStream;
  readonly #update: ReturnType<typeof createLogUpdate>;
  #painted: readonly string[] = [];
  #columns: number;
  #pending = "";

  constructor(stream: TerminalStream) {
    this.#stream = stream;
    this.#columns = this.width;
    const collected = {
      // The lines fit (3): neither is to be looked at.
      columns: 100_000,
      rows: 100_000,
      write: (text: string): boolean => {
        this.#pending += text;
        return true;
      },
    };
    this.#update = createLogUpdate(collected as unknown as NodeJS.WritableStream, { showCursor: true });
  }

  /** Characters that a painted line may have. The last column stays free: what a full line does differs. */
  get width(): number {
    return Math.max(8, (this.#stream.columns || 80) - 1);
  }

  /** Lines that may be painted: one is for the cursor. */
  get height(): number {
    return Math.max(2, (this.#stream.rows || 24) - 1);
  }

  /** Paints these lines in place of the last ones. */
  paint(lines: readonly string[]): void {
    this.#undoReflow();
    this.#update(lines.join("\n"));
    this.#painted = lines;
    this.#flush();
  }

  /** Prints texts, each to its line's end, above the painted lines. */
  printAbove(texts: readonly PrintedText[]): void {
    const lines = this.#painted;
    this.#erase();
    for (const { text, direct } of texts) {
      if (direct === undefined) this.#pending += text;
      else {
        this.#flush();
        direct(text);
      }
    }
    if (lines.length > 0) this.paint(lines);
    else this.#flush();
  }

  /** Takes the painted lines away. */
  clear(): void {
    this.#erase();
    this.#flush();
  }

  /** Others have written to the terminal: what was painted stays where it is. */
  forget(): void {
    this.#update.done();
    this.#painted = [];
  }

  #erase(): void {
    this.#undoReflow();
    if (this.#painted.length > 0) this.#update.clear();
    this.#painted = [];
  }

  /** A terminal that has become narrower has broken the painted lines into more. */
  #undoReflow(): void {
    const columns = this.width;
    if (columns < this.#columns) {
      const more = this.#painted.reduce((sum, line) => sum + Math.floor(visible(line) / (columns + 1)), 0);
      this.#pending += ERASE_LINE_AND_GO_UP.repeat(more);
    }
    this.#columns = columns;
  }

  #flush(): void {
    if (this.#pending === "") return;
    this.#stream.write(`${AS_ONE[0]}${this.#pending}${AS_ONE[1]}`);
    this.#pending = "";
  }
}

function visible(line: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks of colours are what is left out
  return line.replace(/\u001b\[[\d;]*m/g, "").length;
}
