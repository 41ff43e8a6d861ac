import { Worker } from "node:worker_threads";
import { entryPath } from "./entry.ts";

/**
 * Starts the watchdog thread over a shared state. It costs about eight megabytes, its heap is kept small.
 * Ends the process when it uses more than `memoryBytes` beyond what it was born with. For processes that were
 * spawned by `Env.processes.spawn`; it never ends by itself.
 */
export function startWatchdog(
  state: Float64Array,
  places: Readonly<Record<string, number>>,
  memoryBytes: number,
): Promise<void> {
  const worker = new Worker(entryPath("env/watchdog-thread.cjs"), {
    workerData: { state, places, parentPid: process.ppid, memoryBytes },
    execArgv: [],
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8, codeRangeSizeMb: 4, stackSizeMb: 1 },
  });
  return new Promise((resolve, reject) => {
    worker.once("online", () => {
      worker.unref();
      resolve();
    });
    worker.once("error", reject);
  });
}
