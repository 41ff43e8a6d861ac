import { closeSync, openSync, readSync } from "node:fs";
import type { Range } from "./ranges.ts";

/** No word of the text is longer. */
const LONGEST = 64;

/** How often each word begins in a range of a file. The work of every side. */
export function countWords({ path, from, to }: Range): Map<string, number> {
  const start = Math.max(0, from - 1);
  const bytes = Buffer.allocUnsafe(to - start + LONGEST);
  const file = openSync(path, "r");
  const length = readSync(file, bytes, 0, bytes.length, start);
  closeSync(file);
  const text = bytes.toString("latin1", 0, length);
  // A word that began before is another range's; one that goes on behind the end is this one's.
  const first = from === 0 ? 0 : nextGap(text, 0);
  const last = Math.min(text.length, nextGap(text, to - start - 1));
  return countIn(text.slice(first, last));
}

/** How often each word is in a text. */
export function countIn(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.split(/[ \n]+/)) {
    if (word !== "") counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** Where the text has its next blank or line end, at `at` or behind it. */
function nextGap(text: string, at: number): number {
  let gap = at;
  while (gap < text.length && text[gap] !== " " && text[gap] !== "\n") gap++;
  return gap;
}
