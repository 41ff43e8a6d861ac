import { join } from "node:path";
import { startRoles } from "../roles.ts";
import { count, type Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { ourHops } from "./our-hops.ts";

export const raw: Row = {
  name: "raw",
  what: "the same, as a part of the raw limit",
  peer: "our own streams server, frames and codec without stage logic",
  better: "more",
  floor: 0.6,
  aim: 0.8,
  format: (value) => value.toFixed(2),
  async measure(bench) {
    const items = bench.quick ? 300_000 : 3_000_000;
    const limit = await inFolder(bench.folder, async (folder) => {
      const socket = join(folder, "s");
      const roles = await startRoles("rows/raw-roles.mjs", [
        { role: "server", args: [socket, join(folder, "log")] },
        { role: "consumer", name: "sink", args: [socket, "second", "-", items] },
        { role: "consumer", args: [socket, "first", "second", items] },
        { role: "producer", args: [socket, items] },
      ]);
      try {
        const ended = Promise.all([roles.go("sink"), roles.go("consumer")]);
        const { began } = (await roles.go("producer")) as { began: number };
        const [at] = (await ended) as [number, number];
        return ((items * 2) / (at - began)) * 1_000;
      } finally {
        await roles.close();
      }
    });
    const ours = (await ourHops(bench)).hopsPerSecond;
    return { value: ours / limit, text: `${count(ours)}/s to ${count(limit)}/s` };
  },
};
