import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startRoles } from "../roles.ts";
import { count, type Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { millraceRun } from "./millrace-run.ts";
import { broadwayRate, whatBroadwayMisses } from "./with-broadway.ts";
import { withBullmq } from "./with-redis.ts";

const IDEAL = 2_000;

/** What two processes reach that do nothing else: less than the ideal where other programs or guests take their part. */
async function bare(ms: number): Promise<number> {
  const roles = await startRoles("rows/burn-roles.mjs", [
    { role: "burner", name: "one", args: [ms] },
    { role: "burner", name: "two", args: [ms] },
  ]);
  try {
    const [one, two] = await Promise.all([roles.go("one"), roles.go("two")]);
    return (one as number) + (two as number);
  } finally {
    await roles.close();
  }
}

export const cpu: Row = {
  name: "cpu",
  what: "1 ms of CPU an item, two instances, part of what two bare processes reach",
  peer: "BullMQ, two workers",
  better: "more",
  floor: 0.9,
  aim: 0.95,
  format: (value) => `${(value * 100).toFixed(0)} %`,
  async measure(bench) {
    // Long enough that its start, with one instance, and its end, with what one has ahead, are little of it.
    const items = bench.quick ? 4_000 : 40_000;
    const bareMs = bench.quick ? 500 : 3_000;
    const before = await bare(bareMs);
    const ours = await inFolder(bench.folder, async (folder) => {
      const out = join(folder, "out.json");
      await millraceRun(bench.repository, "bench/rows/cpu-pipeline.ts", { items, out }, join(folder, "data"));
      return (items / (JSON.parse(readFileSync(out, "utf8")) as { ms: number }).ms) * 1_000;
    });
    // n.b. the better of the two: what disturbs them must not be to our credit.
    const ideal = Math.min(IDEAL, Math.max(before, await bare(bareMs)));
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
    const share = `${((ours / IDEAL) * 100).toFixed(0)} % of ${count(IDEAL)}/s`;
    const elixir =
      whatBroadwayMisses(bench) === undefined
        ? `, Broadway ${count(await broadwayRate(bench, "cpu", items))}/s`
        : "";
    return {
      value: ours / ideal,
      text: `${count(ours)}/s to ${count(ideal)}/s, ${share}; BullMQ ${count(theirs)}/s${elixir}`,
    };
  },
};
