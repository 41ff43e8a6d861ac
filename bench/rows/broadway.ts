import { count, type Row } from "../row.ts";
import { ourHops } from "./our-hops.ts";
import { broadwayRate, whatBroadwayMisses } from "./with-broadway.ts";

export const broadway: Row = {
  name: "broadway",
  what: "durable item-hops/s",
  peer: "Broadway in memory, which stores nothing: the better of its chains of one hop and of two",
  better: "more",
  floor: 0.25,
  aim: 0.5,
  format: (value) => value.toFixed(2),
  async measure(bench) {
    const missing = whatBroadwayMisses(bench);
    if (missing !== undefined) return { text: `not measured here: ${missing}` };
    const items = bench.quick ? 500_000 : 3_000_000;
    const ours = (await ourHops(bench)).hopsPerSecond;
    const one = await broadwayRate(bench, "processors", items);
    const two = 2 * (await broadwayRate(bench, "batcher", items));
    return {
      value: ours / Math.max(one, two),
      text: `${count(ours)} hops/s to ${count(one)} (processors alone) and ${count(two)} (with a batcher)`,
    };
  },
};
