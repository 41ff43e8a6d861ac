import { runBullmq } from "../hop/bullmq.ts";
import { count, type Row, times } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { ourHops } from "./our-hops.ts";

export const hops: Row = {
  name: "hops",
  what: "durable item-hops/s, source → stage → sink",
  peer: "BullMQ, concurrency 100, addBulk",
  better: "more",
  floor: 30,
  aim: 60,
  format: times,
  async measure(bench) {
    const theirs = await inFolder(bench.folder, (folder) => runBullmq(bench.quick ? 10_000 : 60_000, folder));
    const ours = await ourHops(bench);
    return {
      value: ours.hopsPerSecond / theirs.hopsPerSecond,
      text: `${count(ours.hopsPerSecond)}/s (${ours.cpuPerHop?.toFixed(1)} µs CPU) to ${count(theirs.hopsPerSecond)}/s (${theirs.cpuPerHop?.toFixed(0)} µs)`,
    };
  },
};
