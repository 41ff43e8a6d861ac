import { availableParallelism } from "node:os";
import { pathToFileURL } from "node:url";
import { compiled } from "../compiled.ts";
import { count, type Row, times } from "../row.ts";
import { ourHops } from "./our-hops.ts";
import { withBullmq } from "./with-redis.ts";

export const sandboxed: Row = {
  name: "sandboxed",
  what: "user code in its own process (with us always)",
  peer: "BullMQ, sandboxed processors, one a core",
  better: "more",
  floor: 100,
  aim: 250,
  format: times,
  async measure(bench) {
    const items = bench.quick ? 2_000 : 10_000;
    const processor = pathToFileURL(compiled("rows/bullmq-processor.mjs")).href;
    const theirs = await withBullmq(
      bench.folder,
      ({ port }) => [
        { role: "sandboxed", args: [port, items, availableParallelism(), processor] },
        { role: "adder", args: [port, items, 1] },
      ],
      async (roles) => {
        const ended = roles.go("sandboxed");
        const began = (await roles.go("adder")) as number;
        return (items / (((await ended) as number) - began)) * 1_000;
      },
    );
    const ours = (await ourHops(bench)).hopsPerSecond;
    return { value: ours / theirs, text: `${count(ours)}/s to ${count(theirs)}/s` };
  },
};
