import { join } from "node:path";
import { startRoles } from "../roles.ts";
import { type Bench, count, type Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";

/** Items a second that are taken from a stream on which so many wait, and the streams process's memory by then. */
async function drain(bench: Bench, waiting: number): Promise<{ rate: number; bytes: number }> {
  return await inFolder(bench.folder, async (folder) => {
    const socket = join(folder, "s");
    const roles = await startRoles("rows/raw-roles.mjs", [
      { role: "server", args: [socket, join(folder, "log")] },
      { role: "producer", args: [socket, waiting] },
      { role: "consumer", args: [socket, "first", "-", Math.min(waiting, 500_000)] },
    ]);
    try {
      await roles.go("producer");
      const bytes = (await roles.go("server")) as number;
      const began = Date.now();
      const ended = (await roles.go("consumer")) as number;
      return { rate: (Math.min(waiting, 500_000) / (ended - began)) * 1_000, bytes };
    } finally {
      await roles.close();
    }
  });
}

export const backlog: Row = {
  name: "backlog",
  what: "rate at which a long backlog is worked off",
  peer: "a short one, of 10 k (quick: 100 k to 1 M; else 500 k to 10 M)",
  better: "more",
  floor: 0.8,
  aim: 0.9,
  format: (value) => value.toFixed(2),
  async measure(bench) {
    const [few, many] = bench.quick ? [100_000, 1_000_000] : [500_000, 10_000_000];
    const short = await drain(bench, few);
    const long = await drain(bench, many);
    const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
    return {
      value: long.rate / short.rate,
      text: `${count(long.rate)}/s of ${count(many)} (${mb(long.bytes)}) to ${count(short.rate)}/s of ${count(few)} (${mb(short.bytes)})`,
    };
  },
};
