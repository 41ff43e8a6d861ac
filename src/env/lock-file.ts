import { createHash } from "node:crypto";
import { DataDirectoryError } from "../errors.ts";
import type { Env, ProcessIdentity } from "./env.ts";

/** To replace a dead holder's lock takes two operations; who waits longer for it waits for a dead process. */
const INHERIT_MS = 5_000;

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
 * A dead holder's lock is replaced only by who holds the lock on doing so, which is named after that very
 * holder: nobody can replace a lock that he has not looked at.
 *
 * Waits up to `waitMs` (default 0) for a living holder to end. Throws DataDirectoryError MR_DATA_LOCKED.
 */
export async function acquireLock(
  env: Env,
  path: string,
  options: { note?: string; waitMs?: number } = {},
): Promise<Lock> {
  const self = env.processes.self();
  const nonce = env.random.bytes(6).toString("hex");
  const content = (note: string): string => JSON.stringify({ ...self, note, nonce });
  const lock: Lock = {
    setNote: (note) => env.disk.replaceFile(path, content(note)),
    release: () => env.disk.remove(path),
  };
  const deadline = env.clock.mono() + (options.waitMs ?? 0);
  for (;;) {
    try {
      await env.disk.createExclusive(path, content(options.note ?? ""));
      return lock;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const found = await readContent(env, path);
    if (found === undefined) continue;
    const holder = holderOf(found);
    if (!env.processes.isAlive(holder)) {
      const heir = await inherit(env, path, found, content(options.note ?? ""));
      if (heir) return lock;
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

/** Replaces the lock of a dead holder by ours; false when somebody else has, or is about to. */
async function inherit(env: Env, path: string, dead: string, ours: string): Promise<boolean> {
  const name = createHash("sha256").update(dead).digest("hex").slice(0, 12);
  const right = await acquireLock(env, `${path}.${name}`, { waitMs: INHERIT_MS });
  try {
    if ((await readContent(env, path)) !== dead) return false;
    await env.disk.replaceFile(path, ours);
    return true;
  } finally {
    await right.release();
  }
}

/** Who holds the lock at `path`; undefined when nobody does. */
export async function readLock(env: Env, path: string): Promise<LockHolder | undefined> {
  const content = await readContent(env, path);
  return content === undefined ? undefined : holderOf(content);
}

async function readContent(env: Env, path: string): Promise<string | undefined> {
  try {
    return (await env.disk.readFile(path)).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function holderOf(content: string): LockHolder {
  try {
    const { pid, startTime, note } = JSON.parse(content) as Partial<LockHolder>;
    if (Number.isSafeInteger(pid) && (pid as number) > 0) {
      return { pid: pid as number, startTime: String(startTime ?? ""), note: String(note ?? "") };
    }
  } catch {
    // Not JSON: see below.
  }
  // A lock nobody can read holds nothing: a process that cannot be.
  return { pid: 0x7fff_ffff, startTime: "none", note: "" };
}
