/** A push source and a sink that notes how long each item took to get there. Run by `push-roles.ts`. */
import { writeFileSync } from "node:fs";
import { pipeline, push } from "millrace";
import { latencies } from "./latencies.ts";
import { params } from "./params.ts";

const p = pipeline("push", { params });

p.source("feed", push<{ sentAt: number }>()).to(
  p.sink("sink", {
    setup: (ctx) => ({ seen: [] as number[], out: ctx.params.out }),
    run: ({ sentAt }: { sentAt: number }, { state }) => void state.seen.push(latencies.now() - sentAt),
    teardown: ({ seen, out }) => writeFileSync(out, JSON.stringify(seen)),
  }),
);

export default p;
