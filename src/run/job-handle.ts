import type { Handle, JobHandle, JobProgress } from "../definition/run-options.ts";
import type { Timers } from "../env/env.ts";
import type { StreamReport } from "../streams/protocol.ts";
import { outputOf } from "./job-outcome.ts";

/** How often a job is asked how far it is. */
const LOOK_MS = 200;

/** What a job's streams say of it. */
export interface JobSight {
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly streams: readonly Pick<StreamReport, "name" | "claimed">[];
}

/** The handle of a job, made of that of its run. */
export function jobHandle(handle: Handle, timers: Timers, look: () => Promise<JobSight>): JobHandle {
  let result: Promise<unknown> | undefined;
  return {
    ...handle,
    progress: () => progress(handle, timers, look),
    result: () => {
      result ??= handle.done.then(outputOf);
      return result;
    },
    cancel: async () => {
      await handle.stop({ now: true });
      await handle.done;
    },
  };
}

async function* progress(
  { done }: Handle,
  timers: Timers,
  look: () => Promise<JobSight>,
): AsyncGenerator<JobProgress> {
  let last: JobProgress | undefined;
  let isOver = false;
  const over = done.then(
    () => undefined,
    () => undefined,
  );
  while (!isOver) {
    const awake = new AbortController();
    const tick =
      last === undefined ? Promise.resolve(false) : timers.sleep(LOOK_MS, awake.signal).then(() => false);
    isOver = await Promise.race([over.then(() => true), tick.catch(() => false)]);
    awake.abort();
    const sight = await look().catch(() => undefined);
    if (sight === undefined) continue;
    const now = progressOf(sight);
    if (last !== undefined && isSame(last, now)) continue;
    last = now;
    yield now;
  }
}

function progressOf({ counts, streams }: JobSight): JobProgress {
  const { completed = 0, dead = 0, discarded = 0, quarantined = 0 } = counts.process ?? {};
  return {
    done: completed + dead + discarded + quarantined,
    total: counts.split?.emitted ?? 0,
    failed: dead,
    running: streams.find(({ name }) => name === "process")?.claimed ?? 0,
  };
}

function isSame(a: JobProgress, b: JobProgress): boolean {
  return a.done === b.done && a.total === b.total && a.failed === b.failed && a.running === b.running;
}
