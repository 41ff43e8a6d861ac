import { dirname } from "node:path";
import type { Env } from "../env/env.ts";
import { acquireLock, type Lock, readLock } from "../env/lock-file.ts";
import { DataDirectoryError } from "../errors.ts";
import { addressIn } from "./run-address.ts";
import type { RunStore } from "./run-store.ts";

/** How long a run waits for those who only read to be done. */
const READER_MS = 5_000;

/** Takes a run for this process. Throws DataDirectoryError MR_DATA_LOCKED when another one is at work on it. */
export async function lockRun(env: Env, store: RunStore, pipeline: string, run: string): Promise<Lock> {
  const path = store.lockOf(pipeline, run);
  const former = await readLock(env, path);
  try {
    // Whoever lists dead letters has it for a moment only.
    const isReader = former !== undefined && addressIn(former.note)?.control === "";
    const lock = await acquireLock(env, path, { waitMs: isReader ? READER_MS : 0 });
    // The holder was killed: its sockets are nobody's any more.
    if (former !== undefined && former.note !== "") await removeRuntime(env, former.note);
    return lock;
  } catch (error) {
    if (!(error instanceof DataDirectoryError) || error.code !== "MR_DATA_LOCKED") throw error;
    throw new DataDirectoryError(
      "MR_DATA_LOCKED",
      `run ${run} of pipeline ${pipeline}: process ${String(error.details.pid)} is at work on it; wait for it or stop it, or use --new to begin another`,
      { cause: error },
    );
  }
}

async function removeRuntime(env: Env, note: string): Promise<void> {
  const socket = addressIn(note)?.streams ?? "";
  // n.b. no other folder, whatever a note says. What it does not find, the system's sweep takes.
  if (/[\\/]millrace-[0-9a-f]{12}[\\/]streams$/.test(socket))
    await env.disk.remove(dirname(socket)).catch(() => undefined);
}
