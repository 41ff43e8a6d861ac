/** A source that yields a lone item now and then; the sink notes how long it took to get there. Run by `latency.ts`. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pipeline } from "millrace";
import { latencies } from "./latencies.ts";
import { params } from "./params.ts";

const p = pipeline("latency", { params });

p.source("source", async function* (ctx) {
  for (let i = 0; i < ctx.params.items; i++) {
    await sleep(20);
    yield { sentAt: latencies.now() };
  }
}).to(
  p.sink("sink", {
    setup: (ctx) => ({ seen: [] as number[], out: ctx.params.out }),
    run: ({ sentAt }: { sentAt: number }, { state }) => void state.seen.push(latencies.now() - sentAt),
    teardown: ({ seen, out }) => writeFileSync(out, JSON.stringify(seen)),
  }),
);

export default p;
