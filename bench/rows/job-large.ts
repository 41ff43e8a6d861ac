import { join } from "node:path";
import { expectedSum, PAYLOAD_BYTES } from "../jobs/payload.ts";
import { watchPeakMemory } from "../jobs/peak-memory.ts";
import type { Row } from "../row.ts";
import { inFolder } from "./in-folder.ts";
import { millraceRun } from "./millrace-run.ts";

export const jobLarge: Row = {
  name: "job-large",
  what: "peak memory of any process of a job whose tasks are 2 GB (quick: 256 MB)",
  peer: "an eighth of that",
  better: "less",
  floor: 256,
  aim: 160,
  format: (value) => `${value.toFixed(0)} MB`,
  async measure(bench) {
    const tasks = (bench.quick ? 256 : 2_048) * (2 ** 20 / PAYLOAD_BYTES);
    return await inFolder(bench.folder, async (folder) => {
      const memory = watchPeakMemory();
      const began = performance.now();
      try {
        const params = { items: tasks, out: join(folder, "began") };
        const data = join(folder, "data");
        const { result, repeats } = await millraceRun(
          bench.repository,
          "bench/jobs/payload-job.ts",
          params,
          data,
        );
        // An instance that needs more than it may have is replaced, and its tasks come again.
        if (Object.keys(repeats).length > 0) throw new Error(`millrace: repeats ${JSON.stringify(repeats)}`);
        const { results, sum } = result as { results: number; sum: number };
        if (results !== tasks || sum !== expectedSum(tasks)) {
          throw new Error(`millrace: ${results} results of ${tasks} tasks, their sum is ${sum}`);
        }
      } finally {
        memory.stop();
      }
      const seconds = (performance.now() - began) / 1_000;
      const peaks = [...memory.stop()];
      if (peaks.length === 0) return { text: "not measured here: it needs Linux, whose /proc it reads" };
      const shown = peaks.map(([label, bytes]) => `${label} ${(bytes / 1e6).toFixed(0)} MB`);
      const bytes = tasks * PAYLOAD_BYTES;
      return {
        value: Math.max(...peaks.map(([, bytes]) => bytes)) / 1e6,
        text: `${shown.join(", ")}; ${(bytes / 1e9).toFixed(2)} GB in ${seconds.toFixed(1)} s, ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`,
      };
    });
  },
};
