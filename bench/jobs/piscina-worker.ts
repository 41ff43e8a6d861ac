/** What piscina's threads run. */
import { countIn, countWords } from "./count-words.ts";
import type { Range } from "./ranges.ts";

export default function count(task: Range | string): Map<string, number> {
  return typeof task === "string" ? countIn(task) : countWords(task);
}
