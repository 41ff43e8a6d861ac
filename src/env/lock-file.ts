import { DataDirectoryError } from "../errors.ts";
import type { Env, ProcessIdentity } from "./env.ts";

export interface LockHolder extends ProcessIdentity {
  /** Free for the holder: where it can be reached, say. */
  readonly note: string;
}

export interface Lock {
  /** Rewrites the note for those who read the lock. */
  setNote(note: string): Promise<void>;
  release(): Promise<void>;
}

/**
 * Takes the lock file at `path` for this process. A lock whose holder has ended is taken over; the start time
 * beside the pid tells a holder from a stranger who was given its number.
 *
 * Waits up to `waitMs` (default 0) for a living holder to end. Throws DataDirectoryError MR_DATA_LOCKED.
 */
export async function acquireLock(
  env: Env,
  path: string,
  options: { note?: string; waitMs?: number } = {},
): Promise<Lock> {
  const self = env.processes.self();
  const content = (note: string): string => JSON.stringify({ ...self, note });
  const deadline = env.clock.mono() + (options.waitMs ?? 0);
  for (;;) {
    try {
      await env.disk.createExclusive(path, content(options.note ?? ""));
      return {
        setNote: (note) => env.disk.replaceFile(path, content(note)),
        release: () => env.disk.remove(path),
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readLock(env, path);
    if (holder === undefined) continue;
    if (!env.processes.isAlive(holder)) {
      await breakLock(env, path, holder);
      continue;
    }
    if (env.clock.mono() >= deadline) {
      throw new DataDirectoryError(
        "MR_DATA_LOCKED",
        `lock ${path}: process ${holder.pid} is at work here; wait for it, or stop it`,
        { details: { pid: holder.pid } },
      );
    }
    await env.timers.sleep(20);
  }
}

/** Who holds the lock at `path`; undefined when nobody does. */
export async function readLock(env: Env, path: string): Promise<LockHolder | undefined> {
  let text: string;
  try {
    text = (await env.disk.readFile(path)).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { pid, startTime, note } = JSON.parse(text) as Partial<LockHolder>;
    if (typeof pid === "number") return { pid, startTime: startTime ?? "", note: note ?? "" };
  } catch {
    // A lock nobody can read holds nothing: fall through, to be broken as one of a dead holder.
  }
  return { pid: 0x7fff_ffff, startTime: "none", note: "" };
}

/** Moves a dead holder's lock aside. Of several that try, one succeeds; the others find the new state and go on. */
async function breakLock(env: Env, path: string, holder: LockHolder): Promise<void> {
  const aside = `${path}.${env.random.bytes(6).toString("hex")}.old`;
  try {
    await env.disk.rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const moved = await readLock(env, aside);
  if (moved !== undefined && (moved.pid !== holder.pid || moved.startTime !== holder.startTime)) {
    // Somebody was faster and this is the new holder's lock: put it back, unless its place is taken again.
    try {
      await env.disk.createExclusive(path, (await env.disk.readFile(aside)).toString("utf8"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  await env.disk.remove(aside);
}
