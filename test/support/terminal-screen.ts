// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const PARTS = /\u001b\[[?]?[\d;]*[A-Za-z]|./gsu;

/**
 * What a terminal shows of what was written to it: enough of one for lines that are printed, erased and painted
 * again. An escape sequence that it does not know is an error: it would be one that nobody has thought about.
 */
export class TerminalScreen {
  columns: number;
  /** All lines from the beginning, those that have scrolled away included. */
  readonly lines: string[] = [""];
  isCursorShown = true;
  /** Colours that were not taken back. */
  readonly marks = new Set<string>();
  /** Lines that were longer than the terminal is wide. */
  readonly wrapped: string[] = [];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    this.columns = columns;
  }

  write(text: string): void {
    for (const [part] of text.matchAll(PARTS)) {
      if (part.startsWith("\u001b")) this.#obey(part);
      else if (part === "\n") this.#newLine();
      else if (part === "\r") this.#column = 0;
      else this.#put(part);
    }
  }

  /** Another width: lines that are too long are broken, as terminals do. */
  resize(columns: number): void {
    const broken: string[] = [];
    let row = 0;
    for (const [at, line] of this.lines.entries()) {
      if (at === this.#row) row = broken.length;
      const text = line.trimEnd();
      for (let from = 0; from === 0 || from < text.length; from += columns)
        broken.push(text.slice(from, from + columns));
    }
    this.lines.splice(0, this.lines.length, ...broken);
    this.#row = row;
    this.columns = columns;
  }

  /** What is on the screen, without what is empty at its end. */
  get text(): string {
    return this.lines
      .map((line) => line.trimEnd())
      .join("\n")
      .trimEnd();
  }

  #newLine(): void {
    this.#row++;
    this.#column = 0;
    if (this.lines.length <= this.#row) this.lines.push("");
  }

  #put(character: string): void {
    if (this.#column === this.columns) {
      this.wrapped.push(this.lines[this.#row] ?? "");
      this.#newLine();
    }
    const line = (this.lines[this.#row] ?? "").padEnd(this.#column);
    this.lines[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
    this.#column++;
  }

  #obey(sequence: string): void {
    const [, parameters = "", verb = ""] = /^([?]?[\d;]*)([A-Za-z])$/.exec(sequence.slice(2)) ?? [];
    switch (verb) {
      case "A":
        this.#row = Math.max(0, this.#row - Number(parameters || 1));
        return;
      case "G":
        this.#column = Number(parameters || 1) - 1;
        return;
      case "K":
        if (parameters === "2") this.lines[this.#row] = "";
        else this.lines[this.#row] = (this.lines[this.#row] ?? "").slice(0, this.#column);
        return;
      case "m":
        this.#mark(Number(parameters || 0));
        return;
      case "h":
      case "l":
        if (parameters === "?25") this.isCursorShown = verb === "h";
        else if (parameters !== "?2026") throw new Error(`the terminal's mode ${parameters} is changed`);
        return;
      default:
        throw new Error(`escape sequence ${JSON.stringify(sequence)}`);
    }
  }

  #mark(code: number): void {
    if (code === 0) this.marks.clear();
    else if (code === 39) this.marks.delete("colour");
    else if (code === 22) this.marks.delete("weight");
    else this.marks.add(code < 10 ? "weight" : "colour");
  }
}
