import { closeSync, openSync, readSync } from "node:fs";

/** The text of a file in pieces of about so many bytes, each ending where a word ends. */
export function* pieces(path: string, chunk: number): Generator<string> {
  const file = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(chunk);
    let rest = "";
    for (;;) {
      const length = readSync(file, bytes, 0, chunk, null);
      if (length === 0) break;
      const text = rest + bytes.toString("latin1", 0, length);
      const end = Math.max(text.lastIndexOf(" "), text.lastIndexOf("\n")) + 1;
      rest = text.slice(end);
      yield text.slice(0, end);
    }
    if (rest !== "") yield rest;
  } finally {
    closeSync(file);
  }
}
