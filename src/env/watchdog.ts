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
  const worker = startThread(state, places, memoryBytes);
  return new Promise((resolve, reject) => {
    worker.once("online", () => {
      worker.unref();
      resolve();
    });
    worker.once("error", reject);
  });
}

/** What the thread reads when there is nothing to be seen: no call, no limit. */
const NOTHING = { state: 0, sequence: 0, frame: 0, place: 0, ticks: 0, limitMs: 0, unsettled: 0 };

/**
 * Ends this process when its parent is gone, also while its main thread is blocked and sees no event. For
 * processes that were spawned by `Env.processes.spawn`.
 */
export function endWithParent(): void {
  startThread(new Float64Array(1), NOTHING, Number.POSITIVE_INFINITY).unref();
}

function startThread(
  state: Float64Array,
  places: Readonly<Record<string, number>>,
  memoryBytes: number,
): Worker {
  return new Worker(entryPath("env/watchdog-thread.cjs"), {
    workerData: { state, places, parentPid: process.ppid, memoryBytes },
    execArgv: [],
    env: {},
    resourceLimits: {
      maxYoungGenerationSizeMb: 1,
      maxOldGenerationSizeMb: 8,
      codeRangeSizeMb: 4,
      stackSizeMb: 1,
    },
  });
}
