import { join } from "node:path";
import { checkedSum } from "../jobs/noop.ts";
import { watchPeakMemory } from "../jobs/peak-memory.ts";
import { type Bench, count, type Row, times } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { millraceRun } from "./millrace-run.ts";

export const jobMemory: Row = {
  name: "job-memory",
  what: "peak memory of a job of 5 × as many tiny tasks, the process that grows most",
  peer: "1 M tasks (quick: 200 k)",
  better: "less",
  floor: 1.5,
  aim: 1.2,
  format: times,
  async measure(bench) {
    const few = bench.quick ? 200_000 : 1_000_000;
    const one = await peaksOf(bench, few);
    const five = await peaksOf(bench, few * 5);
    const growth = [...one].map(([label, bytes]) => (five.get(label) ?? 0) / bytes);
    if (growth.length === 0) return { text: "not measured here: it needs Linux, whose /proc it reads" };
    const shown = [...one].map(([label, bytes]) => `${label} ${mb(bytes)} to ${mb(five.get(label) ?? 0)} MB`);
    return { value: Math.max(...growth), text: `${shown.join(", ")} at ${count(few * 5)} tasks` };
  },
};

async function peaksOf(bench: Bench, tasks: number): Promise<ReadonlyMap<string, number>> {
  return await inFolder(bench.folder, async (folder) => {
    const memory = watchPeakMemory();
    try {
      const params = { items: tasks, out: join(folder, "began") };
      const data = join(folder, "data");
      const { result } = await millraceRun(bench.repository, "bench/jobs/noop-job.ts", params, data);
      checkedSum(result, tasks);
    } finally {
      memory.stop();
    }
    return memory.stop();
  });
}

const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);
