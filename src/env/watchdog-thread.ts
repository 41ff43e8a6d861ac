import { writeSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { WATCHDOG_FD } from "./watchdog-fd.ts";

/**
 * The watchdog thread of an instance: it goes on while the main thread is busy. Once a second it writes what
 * the main thread is doing; when the parent process is gone, or this one has outgrown its memory, it ends this
 * one, however busy that is.
 *
 * n.b. it has no event loop to speak of: it sleeps in Atomics.wait, which no user code can disturb.
 */
interface WatchdogData {
  readonly state: Float64Array;
  readonly places: Readonly<
    Record<"state" | "sequence" | "frame" | "place" | "ticks" | "limitMs" | "unsettled", number>
  >;
  readonly parentPid: number;
  readonly memoryBytes: number;
}

const POLL_MS = 200;
const REPORT_MS = 1_000;

const { state, places, parentPid, memoryBytes } = workerData as WatchdogData;
// n.b. buffers lie outside the heap, whose limit the engine keeps: only what the system counts shows them.
const bornWith = process.memoryUsage.rss();
const pause = new Int32Array(new SharedArrayBuffer(4));
let sequence = -1;
let ticks = -1;
let inCall = false;
let since = performance.now();
// The first report is due at once: from then on the agent knows that silence means something.
let reported = Number.NEGATIVE_INFINITY;

for (;;) {
  const limitMs = state[places.limitMs] ?? 0;
  Atomics.wait(pause, 0, 0, limitMs > 0 ? Math.min(POLL_MS, Math.max(20, limitMs / 4)) : POLL_MS);
  if (process.ppid !== parentPid) process.kill(process.pid, "SIGKILL");
  const now = performance.now();
  const isInCall = state[places.state] === 1;
  // Inside a call the call's number says whether there is progress, outside the main thread's own clock.
  if (
    isInCall !== inCall ||
    (isInCall ? state[places.sequence] !== sequence : state[places.ticks] !== ticks)
  ) {
    inCall = isInCall;
    sequence = state[places.sequence] ?? 0;
    ticks = state[places.ticks] ?? 0;
    since = now;
  }
  const stuckMs = now - since;
  const isInHand = isInCall || (state[places.unsettled] ?? 0) > 0;
  const hangs = isInHand && limitMs > 0 && stuckMs > limitMs;
  const used = process.memoryUsage.rss() - bornWith;
  const outgrownTo = used > memoryBytes ? used : undefined;
  if (!hangs && outgrownTo === undefined && now - reported < REPORT_MS) continue;
  reported = now;
  const report = {
    inCall: isInHand,
    stuckMs: Math.round(stuckMs),
    hangs,
    frame: state[places.frame],
    place: state[places.place],
    outgrownTo,
  };
  try {
    writeSync(WATCHDOG_FD, `${JSON.stringify(report)}\n`);
  } catch {
    // Nobody reads any more: the parent is on its way out, the check above will notice.
  }
  if (outgrownTo !== undefined) process.kill(process.pid, "SIGKILL");
}
