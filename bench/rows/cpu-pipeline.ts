/** Source → a stage that takes a millisecond of processor time → sink. Run by `cpu.ts`. */
import { writeFileSync } from "node:fs";
import { pipeline } from "millrace";
import { burn } from "./burn.ts";
import { params } from "./params.ts";

const p = pipeline("cpu", { params });

p.source("source", function* (ctx) {
  for (let id = 0; id < ctx.params.items; id++) yield id;
})
  .to(
    p.stage(
      "stage",
      (id: number) => {
        const startedAt = Date.now();
        burn(1);
        return { id, startedAt };
      },
      { instances: 2 },
    ),
  )
  .to(
    p.sink("sink", {
      setup: (ctx) => ({ firstAt: Number.POSITIVE_INFINITY, lastAt: 0, out: ctx.params.out }),
      run: ({ startedAt }: { id: number; startedAt: number }, { state }) => {
        state.firstAt = Math.min(state.firstAt, startedAt);
        state.lastAt = Date.now();
      },
      teardown: ({ firstAt, lastAt, out }) => writeFileSync(out, JSON.stringify({ ms: lastAt - firstAt })),
    }),
  );

export default p;
