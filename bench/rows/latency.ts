import { startRoles } from "../roles.ts";
import type { Bench, Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { latencies } from "./latencies.ts";
import { withBullmq } from "./with-redis.ts";

/** Between two items. */
const EVERY_MS = 20;

/** Milliseconds of each item, ours and theirs. */
function measured(bench: Bench): Promise<{ ours: number[]; theirs: number[] }> {
  const items = (bench.quick ? 100 : 500) + latencies.WARM_UP;
  return bench.once("latency", async () => ({
    ours: await inFolder(bench.folder, async (folder) => {
      const args = [bench.repository, folder, items, EVERY_MS];
      const roles = await startRoles("rows/push-roles.mjs", [{ role: "prober", args }]);
      try {
        return counted(await roles.go("prober"));
      } finally {
        await roles.close();
      }
    }),
    theirs: await withBullmq(
      bench.folder,
      ({ port }) => [
        { role: "probed", args: [port, items] },
        { role: "prober", args: [port, items, EVERY_MS] },
      ],
      async (roles) => {
        const ended = roles.go("probed");
        await roles.go("prober");
        return counted(await ended);
      },
    ),
  }));
}

const counted = (seen: unknown): number[] => (seen as number[]).slice(latencies.WARM_UP);

function latencyRow(name: string, share: number, floor: number, aim: number): Row {
  return {
    name: `latency-${name}`,
    what: `a lone item, pushed → function in another process, durable, ${name}`,
    peer: "BullMQ, add → worker",
    better: "less",
    floor,
    aim,
    format: (value) => `${value.toFixed(1)} ms`,
    async measure(bench) {
      const { ours, theirs } = await measured(bench);
      const value = latencies.quantile(ours, share);
      const peer = latencies.quantile(theirs, share);
      return {
        value,
        text: `${value.toFixed(2)} ms; BullMQ ${peer.toFixed(2)} ms (${(value / peer).toFixed(2)} of it)`,
      };
    },
  };
}

export const latencyP50 = latencyRow("p50", 0.5, 1.5, 0.8);
export const latencyP99 = latencyRow("p99", 0.99, 6, 2.5);
