import type { LineBlock } from "./line-blocks.ts";
import type { RowReader, Rows } from "./row-reader.ts";

/** Every line is an item. */
export class LineRows implements RowReader<string> {
  readonly state = undefined;

  read({ lines }: LineBlock): Rows<string> {
    return { items: withoutReturns(lines), upTo: lines.length };
  }

  end(): Rows<string> {
    return { items: [], upTo: undefined };
  }
}

function withoutReturns(lines: readonly string[]): readonly string[] {
  // Files have one kind of line end, as a rule: the first lines tell quickly that there is work to do.
  if (!lines.some((line) => line.charCodeAt(line.length - 1) === 13)) return lines;
  return lines.map(withoutReturn);
}

/** A line that ended in CR LF, without the CR. */
export function withoutReturn(line: string): string {
  return line.charCodeAt(line.length - 1) === 13 ? line.slice(0, -1) : line;
}
