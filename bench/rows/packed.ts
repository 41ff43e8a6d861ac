import { count, type Row, times } from "../row.ts";
import { ourHops } from "./our-hops.ts";
import { withBullmq } from "./with-redis.ts";

export const packed: Row = {
  name: "packed",
  what: "the same, a fair fight",
  peer: "BullMQ, 100 items packed by hand into a job",
  better: "more",
  floor: 1.7,
  aim: 4,
  format: times,
  async measure(bench) {
    const items = bench.quick ? 100_000 : 2_400_000;
    const theirs = await withBullmq(
      bench.folder,
      ({ port }) => [
        { role: "worker", name: "sink", args: [port, "second", "-", items, 100, 0] },
        { role: "worker", args: [port, "first", "second", items, 100, 0] },
        { role: "adder", args: [port, items, 100] },
      ],
      async (roles) => {
        const ended = roles.go("sink");
        const began = (await roles.go("adder")) as number;
        return ((items * 2) / (((await ended) as number) - began)) * 1_000;
      },
    );
    const ours = (await ourHops(bench)).hopsPerSecond;
    return { value: ours / theirs, text: `${count(ours)}/s to ${count(theirs)}/s` };
  },
};
