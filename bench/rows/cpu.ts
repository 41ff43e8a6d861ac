import { readFileSync } from "node:fs";
import { join } from "node:path";
import { count, type Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { millraceRun } from "./millrace-run.ts";
import { withBullmq } from "./with-redis.ts";

const IDEAL = 2_000;

export const cpu: Row = {
  name: "cpu",
  what: "1 ms of CPU an item, two instances, part of the ideal 2,000/s",
  peer: "BullMQ, two workers",
  better: "more",
  floor: 0.9,
  aim: 0.95,
  format: (value) => `${(value * 100).toFixed(0)} %`,
  async measure(bench) {
    const items = bench.quick ? 4_000 : 20_000;
    const ours = await inFolder(bench.folder, async (folder) => {
      const out = join(folder, "out.json");
      await millraceRun(bench.repository, "bench/rows/cpu-pipeline.ts", { items, out }, join(folder, "data"));
      return (items / (JSON.parse(readFileSync(out, "utf8")) as { ms: number }).ms) * 1_000;
    });
    const theirs = await withBullmq(
      bench.folder,
      ({ port }) => [
        { role: "worker", name: "sink", args: [port, "second", "-", items, 100, 0] },
        { role: "worker", name: "one", args: [port, "first", "second", items, 10, 1] },
        { role: "worker", name: "two", args: [port, "first", "second", items, 10, 1] },
        { role: "adder", args: [port, items, 1] },
      ],
      async (roles) => {
        const ended = roles.go("sink");
        const began = (await roles.go("adder")) as number;
        return (items / (((await ended) as number) - began)) * 1_000;
      },
    );
    return { value: ours / IDEAL, text: `${count(ours)}/s; BullMQ ${count(theirs)}/s` };
  },
};
