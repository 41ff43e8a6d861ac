/** Counts the words of a file in two instances; a task names a range of its bytes. Run by `words.ts`. */
import { writeFileSync } from "node:fs";
import { job } from "millrace";
import { countWords } from "./count-words.ts";
import { ranges } from "./ranges.ts";
import { Totals } from "./totals.ts";
import { wordsParams } from "./words-params.ts";

export default job("words", {
  params: wordsParams,
  instances: 2,
  *split(_input: undefined, { params: { text, bytes, chunk, out } }) {
    writeFileSync(out, `${Date.now()}`);
    yield* ranges(text, bytes, chunk);
  },
  process: countWords,
  combine: {
    init: () => new Map<string, number>(),
    add: (counts, part) => new Totals(counts).add(part),
    finish: (counts) => ({ ...new Totals(counts).summary(), lastAt: Date.now() }),
    ordered: false,
  },
});
