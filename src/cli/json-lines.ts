import { UsageError } from "../errors.ts";

/** A line may be longer than an item, since JSON is; not without end. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024;

/** A line of a file, counted from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** The lines of a text that comes in pieces, without those that are blank. Throws UsageError MR_BAD_ROW for one without end. */
export async function* linesOf(pieces: AsyncIterable<string>, name: string): AsyncGenerator<Line> {
  let rest = "";
  let number = 0;
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) {
      number++;
      if (text.trim() !== "") yield { number, text };
    }
    if (rest.length > MAX_LINE_CHARACTERS) {
      throw new UsageError(
        "MR_BAD_ROW",
        `${name}:${number + 1}: a line of more than ${MAX_LINE_CHARACTERS} characters; write one JSON value a line`,
      );
    }
  }
  if (rest.trim() !== "") yield { number: number + 1, text: rest };
}

/** The value of a line. Throws UsageError MR_BAD_ROW with its place. */
export function jsonOf({ number, text }: Line, name: string): unknown {
  try {
    // A file may begin with a byte order mark.
    return JSON.parse(number === 1 ? text.replace(/^\ufeff/, "") : text);
  } catch (cause) {
    const what = (cause as Error).message;
    throw new UsageError("MR_BAD_ROW", `${name}:${number}: ${what}; write one JSON value a line`, { cause });
  }
}
