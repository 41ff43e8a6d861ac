import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DiskFile, Env } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";
import type { OpenedEngine } from "../../src/streams/open-engine.ts";
import type { EngineUnderTest } from "./stream-contract.ts";

/** The real world, with a disk that can be made to have no room. */
function fillableEnv(): { env: Env; setFull(isFull: boolean): void } {
  let isFull = false;
  const limited = (file: DiskFile): DiskFile => ({
    writev: async (buffers, position) => {
      if (!isFull) return file.writev(buffers, position);
      // As a full disk does it: the beginning is written.
      await file.writev([Buffer.concat(buffers).subarray(0, 10)], position);
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    },
    read: (position, length) => file.read(position, length),
    datasync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    size: () => file.size(),
    close: () => file.close(),
  });
  const env: Env = {
    ...nodeEnv,
    disk: { ...nodeEnv.disk, open: async (path, mode) => limited(await nodeEnv.disk.open(path, mode)) },
  };
  return {
    env,
    setFull: (full) => {
      isFull = full;
    },
  };
}

/** How an engine is opened over a folder: in a first life, or after another that was killed. */
export type OpenInFolder = (env: Env, directory: string) => Promise<Pick<OpenedEngine, "engine" | "close">>;

/**
 * An engine over a folder.
 *
 * @param kill ends what the present life has outside of the folder, before another begins.
 */
export async function engineInFolder(
  openIn: OpenInFolder,
  kill: () => Promise<void> = async () => undefined,
): Promise<EngineUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "millrace-contract-"));
  const { env, setFull } = fillableEnv();
  const opened: Pick<OpenedEngine, "close">[] = [];
  let life = 0;
  const open = async (): Promise<OpenedEngine["engine"]> => {
    const next = await openIn(env, join(folder, `${life}`));
    opened.push(next);
    return next.engine;
  };
  return {
    open,
    // What a killed process leaves is what is in its files at that moment: a copy of them, without its lock.
    killAndReopen: async () => {
      await kill();
      const before = join(folder, `${life++}`);
      await cp(before, join(folder, `${life}`), {
        recursive: true,
        filter: (source) => !source.endsWith("lock"),
      });
      return await open();
    },
    setFull: async (isFull) => setFull(isFull),
    close: async () => {
      for (const engine of opened) await engine.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
