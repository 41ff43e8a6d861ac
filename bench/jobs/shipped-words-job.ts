/** As `words-job.ts`, but split reads the file, and the tasks are its text: all of it goes through the log. */
import { writeFileSync } from "node:fs";
import { job } from "millrace";
import { countIn } from "./count-words.ts";
import { pieces } from "./pieces.ts";
import { Totals } from "./totals.ts";
import { wordsParams } from "./words-params.ts";

export default job("shipped-words", {
  params: wordsParams,
  instances: 2,
  *split(_input: undefined, { params: { text, chunk, out } }) {
    writeFileSync(out, `${Date.now()}`);
    yield* pieces(text, chunk);
  },
  process: (text) => countIn(text),
  combine: {
    init: () => new Map<string, number>(),
    add: (counts, part) => new Totals(counts).add(part),
    finish: (counts) => ({ ...new Totals(counts).summary(), lastAt: Date.now() }),
    ordered: false,
  },
});
