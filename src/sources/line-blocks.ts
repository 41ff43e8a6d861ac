import { StageError } from "../errors.ts";

const LINE_FEED = 10;

/** Whole lines that lie one behind the other. */
export interface LineBlock {
  /** Their bytes, line ends included. */
  readonly bytes: Buffer;
  /** Where in the file's content the first byte lies. */
  readonly at: number;
  /** Number of the first line, from 1. */
  readonly firstLine: number;
  /** Without line feeds; a carriage return before it is still there. */
  readonly lines: readonly string[];
}

export interface LineSettings {
  readonly path: string;
  readonly encoding: "utf8" | "latin1";
  readonly maxLineBytes: number;
}

/**
 * Cuts content into blocks of whole lines. A character is never torn: a block ends at a line feed, which in UTF-8 is
 * no part of another character.
 *
 * @param from where the chunks begin in the content, and the number of the line there.
 * @throws StageError MR_INPUT_UNREADABLE for a line that is too long, and for UTF-16.
 */
export async function* lineBlocks(
  chunks: AsyncIterable<Buffer>,
  from: { readonly at: number; readonly line: number },
  settings: LineSettings,
): AsyncGenerator<LineBlock, void, undefined> {
  let { at, line } = from;
  /** The beginning of a line whose end has not come. */
  let open: Buffer[] = [];
  let openBytes = 0;
  const block = (bytes: Buffer): LineBlock => {
    const start = at === 0 ? markLength(bytes, settings.path) : 0;
    const lines = bytes.toString(settings.encoding, start).split("\n");
    // Behind the last line end, or behind a byte order mark alone, is no line.
    if (bytes[bytes.length - 1] === LINE_FEED || start === bytes.length) lines.pop();
    const made = { bytes, at, firstLine: line, lines };
    checkLengths(made, settings);
    at += bytes.length;
    line += lines.length;
    return made;
  };
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      const whole = chunk.subarray(0, end);
      const bytes = openBytes === 0 ? whole : Buffer.concat([...open, whole]);
      open = [];
      openBytes = 0;
      yield block(bytes);
    }
    if (end === chunk.length) continue;
    open.push(chunk.subarray(end));
    openBytes += chunk.length - end;
    if (openBytes > settings.maxLineBytes) throw tooLong(settings, line);
  }
  if (openBytes > 0) yield block(Buffer.concat(open));
}

/** Where line `index` of a block begins, counted from the block's first byte; the block's length behind its last. */
export function startOfLine({ bytes, lines }: LineBlock, index: number): number {
  if (index >= lines.length) return bytes.length;
  let start = 0;
  for (let i = 0; i < index; i++) start = bytes.indexOf(LINE_FEED, start) + 1;
  return start;
}

/** Length of the byte order mark of UTF-8, which some programs put first. */
function markLength(bytes: Buffer, path: string): number {
  const [first, second, third] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new StageError(
      "MR_INPUT_UNREADABLE",
      `${path}: it is UTF-16 by its first bytes; convert it to UTF-8 first`,
      { scope: "stage", details: { path } },
    );
  }
  return first === 0xef && second === 0xbb && third === 0xbf ? 3 : 0;
}

function checkLengths({ lines, firstLine, bytes }: LineBlock, settings: LineSettings): void {
  const { maxLineBytes } = settings;
  if (bytes.length <= maxLineBytes) return;
  // A line of more characters than bytes allowed is too long; one of many long characters may slip through.
  const index = lines.findIndex((line) => line.length > maxLineBytes);
  if (index >= 0) throw tooLong(settings, firstLine + index);
}

function tooLong({ path, maxLineBytes }: LineSettings, line: number): StageError {
  return new StageError(
    "MR_INPUT_UNREADABLE",
    `${path}:${line}: the line is longer than ${maxLineBytes} bytes; raise maxLine, or see whether the file has line feeds`,
    { scope: "stage", details: { path, line } },
  );
}
