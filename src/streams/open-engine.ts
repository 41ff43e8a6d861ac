import { join } from "node:path";
import type { Env } from "../env/env.ts";
import { acquireLock, type Lock } from "../env/lock-file.ts";
import type { StreamEngine } from "./contract.ts";
import { EmbeddedEngine } from "./engines/embedded.ts";
import { MemoryLog } from "./engines/memory-log.ts";
import { SegmentLog } from "./engines/segment-log.ts";

export interface EngineSettings {
  readonly kind: "memory" | "file";
  /** `file`: where the log lies. */
  readonly directory: string;
  /** `file`: whether a write is on stable storage before it is confirmed. */
  readonly durability: "disk" | "process";
  /** Where the blobs of the run's items lie; without it nobody removes them. */
  readonly blobs?: string;
}

export interface OpenedEngine {
  readonly engine: StreamEngine;
  /** What was found damaged, for people. */
  readonly damage: readonly string[];
  close(): Promise<void>;
}

/** An orphaned streams process sees at once that its agent is gone; this is ample. */
const WAIT_FOR_ORPHAN_MS = 5_000;

/** Opens the engine that a run's settings ask for. Throws DataDirectoryError when another process has it open. */
export async function openEngine(env: Env, settings: EngineSettings): Promise<OpenedEngine> {
  if (settings.kind === "memory") {
    const { engine } = await EmbeddedEngine.open(env, () => new MemoryLog(), "nothing");
    return { engine, damage: [], close: () => engine.close() };
  }
  await env.disk.makeDirectory(settings.directory);
  const lock: Lock = await acquireLock(env, join(settings.directory, "lock"), { waitMs: WAIT_FOR_ORPHAN_MS });
  const sync = settings.durability === "disk";
  const { engine, damage } = await EmbeddedEngine.open(
    env,
    (snapshot) => new SegmentLog(env, { directory: settings.directory, sync, snapshot }),
    sync ? "power-loss" : "process-death",
  ).catch(async (error: unknown) => {
    // n.b. or this process itself could not try once more.
    await lock.release();
    throw error;
  });
  return {
    engine,
    // A torn tail is what a crash leaves and loses nothing that was confirmed; only damage is worth a word.
    damage: damage
      .filter((place) => place.kind === "damaged")
      .map((place) => `${place.file}: ${place.bytes} bytes at ${place.offset} are damaged`),
    close: async () => {
      await engine.close();
      await lock.release();
    },
  };
}
