/** The lines of a text, one by one; a line end at its end begins no further line. `\n` and `\r\n` end a line. */
export function* linesOf(text: string): Generator<string> {
  let start = 0;
  while (start < text.length) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    yield text.slice(start, found > start && text[found - 1] === "\r" ? end - 1 : end);
    start = end + 1;
  }
}

/** The lines of a text in UTF-8 that comes in pieces. */
export async function* linesIn(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest: string[] = [];
  for await (const piece of pieces) {
    const text = decoder.decode(piece, { stream: true });
    const last = text.lastIndexOf("\n");
    if (last === -1) {
      rest.push(text);
      continue;
    }
    yield* linesOf(rest.join("") + text.slice(0, last + 1));
    rest = [text.slice(last + 1)];
  }
  rest.push(decoder.decode());
  yield* linesOf(rest.join(""));
}
