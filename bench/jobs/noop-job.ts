/** Tiny tasks that do nothing. Run by `noop.ts` and by the row `job-memory`. */
import { writeFileSync } from "node:fs";
import { job } from "millrace";
import { params } from "../rows/params.ts";

export default job("noop", {
  params,
  *split(_input: undefined, { params: { items, out } }) {
    writeFileSync(out, `${Date.now()}`);
    for (let id = 0; id < items; id++) yield id;
  },
  process: (id) => id,
  combine: {
    init: () => ({ results: 0, sum: 0 }),
    add(acc, id) {
      acc.results++;
      acc.sum += id;
    },
    finish: (acc) => ({ ...acc, lastAt: Date.now() }),
  },
});
