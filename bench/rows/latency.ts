import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { latencies } from "./latencies.ts";
import { millraceRun } from "./millrace-run.ts";
import { withBullmq } from "./with-redis.ts";

/** Milliseconds of each item, ours and theirs. */
function measured(bench: Bench): Promise<{ ours: number[]; theirs: number[] }> {
  const items = bench.quick ? 100 : 500;
  return bench.once("latency", async () => ({
    ours: await inFolder(bench.folder, async (folder) => {
      const out = join(folder, "out.json");
      await millraceRun(
        bench.repository,
        "bench/rows/latency-pipeline.ts",
        { items, out },
        join(folder, "data"),
      );
      return JSON.parse(readFileSync(out, "utf8")) as number[];
    }),
    theirs: await withBullmq(
      bench.folder,
      ({ port }) => [
        { role: "probed", args: [port, items] },
        { role: "prober", args: [port, items, 20] },
      ],
      async (roles) => {
        const ended = roles.go("probed");
        await roles.go("prober");
        return (await ended) as number[];
      },
    ),
  }));
}

function latencyRow(name: string, share: number, floor: number, aim: number): Row {
  return {
    name: `latency-${name}`,
    what: `a lone item, yielded → function in another process, durable, ${name}`,
    peer: "BullMQ, add → worker",
    better: "less",
    floor,
    aim,
    format: (value) => `${value.toFixed(1)} ms`,
    async measure(bench) {
      const { ours, theirs } = await measured(bench);
      const value = latencies.quantile(ours, share);
      return {
        value,
        text: `${value.toFixed(2)} ms; BullMQ ${latencies.quantile(theirs, share).toFixed(2)} ms`,
      };
    },
  };
}

export const latencyP50 = latencyRow("p50", 0.5, 1.5, 0.8);
export const latencyP99 = latencyRow("p99", 0.99, 6, 2.5);
