/** Three stages that have nothing to do: the source waits until it is told to stop. */
import { type Context, pipeline } from "millrace";

const p = pipeline("waiting");
const source = p.source("source", async function* (ctx: Context): AsyncGenerator<number> {
  if (ctx.signal.aborted) return;
  await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve, { once: true }));
});
const stage = p.stage("stage", (n: number) => n * 2);
const sink = p.sink("sink", (_n: number) => {});
source.to(stage).to(sink);

export default p;
