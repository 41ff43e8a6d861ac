/** Three stages, three items: what is left is what starting and ending costs. */
import { pipeline } from "millrace";

const p = pipeline("trivial");
const source = p.source("source", () => [1, 2, 3]);
const stage = p.stage("stage", (n: number) => n * 2);
const sink = p.sink("sink", (_n: number) => {});
source.to(stage).to(sink);

export default p;
