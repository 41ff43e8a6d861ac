/** The chain on millrace's side: source → stage → sink, no option set. Run by `millrace.ts`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Context, pipeline, type StandardSchema } from "millrace";
import { Arrivals } from "./arrivals.ts";
import { addTax, type Item, makeItem } from "./item.ts";

interface Params {
  readonly items: number;
  /** Folder for what source and sink have to say. */
  readonly out: string;
}

const params: StandardSchema<{ items: number | string; out: string }, Params> = {
  "~standard": {
    version: 1,
    vendor: "bench",
    validate(value) {
      const { items, out } = value as { items?: unknown; out?: unknown };
      const count = Number(items);
      if (!Number.isSafeInteger(count) || count < 1)
        return { issues: [{ message: "must be a count", path: ["items"] }] };
      if (typeof out !== "string") return { issues: [{ message: "must be a folder", path: ["out"] }] };
      return { value: { items: count, out } };
    },
  },
};

const p = pipeline("hop", { params });

const source = p.source("source", function* (ctx: Context<Params>) {
  writeFileSync(join(ctx.params.out, "source.json"), JSON.stringify({ firstAt: Date.now() }));
  for (let id = 0; id < ctx.params.items; id++) yield makeItem(id);
});

const stage = p.stage("stage", addTax);

const sink = p.sink("sink", {
  setup: (ctx) => ({ arrivals: new Arrivals(ctx.params.items), out: ctx.params.out }),
  run(item: Item, ctx: Context<Params, { arrivals: Arrivals; out: string }>) {
    ctx.state.arrivals.note(item);
  },
  teardown({ arrivals, out }) {
    writeFileSync(join(out, "sink.json"), JSON.stringify(arrivals.report()));
  },
});

source.to(stage).to(sink);

export default p;
