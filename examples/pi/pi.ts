import { job } from "millrace";
import { z } from "zod";

/** Pi by the series 4 - 4/3 + 4/5 - 4/7 …, a stretch of terms a task. */
export default job("pi", {
  params: z.object({
    tasks: z.coerce.number().int().min(1).default(200),
    terms: z.coerce.number().default(100_000),
  }),
  *split(_input: undefined, { params: { tasks, terms } }) {
    for (let task = 0; task < tasks; task++) yield { from: task * terms, to: (task + 1) * terms };
  },
  process({ from, to }) {
    let sum = 0;
    for (let n = to - 1; n >= from; n--) sum += (n % 2 === 0 ? 4 : -4) / (2 * n + 1);
    return sum;
  },
  combine: {
    init: 0,
    add: (sum, part) => sum + part,
    finish: (sum) => sum,
  },
});
