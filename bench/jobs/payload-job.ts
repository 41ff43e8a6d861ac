/** Tasks of 64 KiB each, worked on by an instance that may have 256 MB. Run by the row `job-large`. */
import { writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { job } from "millrace";
import { params } from "../rows/params.ts";
import { payloadOf } from "./payload.ts";

export default job("payload", {
  params,
  resources: { memory: "256MB" },
  *split(_input: undefined, { params: { items, out } }) {
    writeFileSync(out, `${Date.now()}`);
    for (let id = 0; id < items; id++) yield { id, payload: payloadOf(id) };
  },
  process: ({ payload }) => crc32(payload),
  combine: {
    init: () => ({ results: 0, sum: 0 }),
    add(acc, crc) {
      acc.results++;
      acc.sum += crc;
    },
    finish: (acc) => acc,
  },
});
