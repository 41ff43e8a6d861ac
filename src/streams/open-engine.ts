import { join } from "node:path";
import type { EngineOptions } from "../definition/engine-options.ts";
import type { Env } from "../env/env.ts";
import { acquireLock, type Lock } from "../env/lock-file.ts";
import type { BrokerOptions } from "./brokers/open-broker.ts";
import type { Durability, StreamEngine } from "./contract.ts";
import type { DiskRoom } from "./disk-room.ts";
import { DiskWatch } from "./embedded/disk-watch.ts";
import { EmbeddedEngine } from "./embedded/embedded-engine.ts";
import type { Snapshot } from "./embedded/ledger-entry.ts";
import type { Log, LogDamage } from "./embedded/log.ts";
import { MemoryLog } from "./embedded/memory-log.ts";
import { SEGMENT_BYTES, SegmentLog } from "./embedded/segment-log.ts";

/** Longer than a flush takes on most disks, and no delay that anybody notices. */
const LINGER_MS = 5;

export interface EngineSettings {
  readonly kind: "memory" | "file" | "broker";
  /** `file`, `broker`: where the log lies. */
  readonly directory: string;
  /** `file`, `broker`: whether a write to the log is on stable storage before it is confirmed. */
  readonly durability: "disk" | "process";
  /** Where the blobs of the run's items lie; without it nobody removes them. */
  readonly blobs?: string;
  /** `broker`: where it is: amqp(s)://, nats:// or redis(s)://. */
  readonly url?: string;
  /** `broker`: what the names of its queues begin with: `millrace.PIPELINE.RUN`. */
  readonly queuePrefix?: string;
  /** `broker`: what its driver is told beyond the URL. */
  readonly options?: BrokerOptions;
  /** `broker`: what the queues of a stage are to be like, by stage, where it says so. */
  readonly stageOptions?: Readonly<Record<string, EngineOptions>>;
  /** `broker`: wait for one that cannot be reached: the run was working with it. Without, that is an error. */
  readonly waits?: boolean;
  /** `file`, `broker`: so much of the log's disk is to stay free, in bytes; 0: no watch is kept. Default: 256 MB or 5 % of the disk. */
  readonly keepFreeBytes?: number;
}

export interface OpenedEngine {
  readonly engine: StreamEngine;
  /** What was found damaged, for people. */
  readonly damage: readonly string[];
  /** `file`: the room on its disk. */
  readonly disk?: DiskRoom;
  close(): Promise<void>;
}

/** An orphaned streams process sees at once that its agent is gone; this is ample. */
const WAIT_FOR_ORPHAN_MS = 5_000;
const LEAST_SEGMENT_BYTES = 256 * 1024;

/** An engine with a log: what is asked of it when the log's disk is low. */
type Logged = StreamEngine & { makeRoom(freeBytes: number): void };
type OpenLogged = (
  log: (snapshot: () => Snapshot) => Log,
  survives: Durability,
) => Promise<{ engine: Logged; damage: readonly LogDamage[] }>;

/** Opens the engine that a run's settings ask for. Throws DataDirectoryError when another process has it open. */
export async function openEngine(env: Env, settings: EngineSettings): Promise<OpenedEngine> {
  const { kind } = settings;
  if (kind === "memory") {
    const { engine } = await EmbeddedEngine.open(env, () => new MemoryLog(), "nothing");
    return { engine, damage: [], close: () => engine.close() };
  }
  if (kind === "file")
    return openLogged(env, settings, (log, survives) => EmbeddedEngine.open(env, log, survives));
  const { url = "", queuePrefix = "millrace", options = {}, stageOptions, waits = false } = settings;
  // n.b. loaded by who uses it.
  const { openBroker } = await import("./brokers/open-broker.ts");
  const { BrokerEngine } = await import("./brokers/broker-engine.ts");
  const broker = await openBroker(env, url, options);
  const queueOf = (stream: string): string => `${queuePrefix}.${stream}`;
  return openLogged(env, settings, (log, survives) =>
    BrokerEngine.open(env, { log, survives, broker, queueOf, stageOptions, waits }),
  );
}

async function openLogged(env: Env, settings: EngineSettings, open: OpenLogged): Promise<OpenedEngine> {
  await env.disk.makeDirectory(settings.directory);
  const lock: Lock = await acquireLock(env, join(settings.directory, "lock"), { waitMs: WAIT_FOR_ORPHAN_MS });
  const sync = settings.durability === "disk";
  const { directory, keepFreeBytes } = settings;
  let toShrink: Logged | undefined;
  const onLow = (freeBytes: number): void => toShrink?.makeRoom(freeBytes);
  const disk = await DiskWatch.open(env, { directory, keepFreeBytes, onLow });
  const log = (snapshot: () => Snapshot): Log =>
    new SegmentLog(env, {
      directory,
      sync,
      snapshot,
      lingerMs: LINGER_MS,
      ...(disk && { segmentBytes: segmentBytesFor(disk), makeRoom: () => disk.giveUpBallast() }),
    });
  const { engine, damage } = await open(log, sync ? "power-loss" : "process-death").catch(
    async (error: unknown) => {
      await disk?.close();
      // n.b. or this process itself could not try once more.
      await lock.release();
      throw error;
    },
  );
  toShrink = engine;
  return {
    engine,
    // A torn tail is what a crash leaves and loses nothing that was confirmed; only damage is worth a word.
    damage: damage
      .filter((place) => place.kind === "damaged")
      .map((place) => `${place.file}: ${place.bytes} bytes at ${place.offset} are damaged`),
    ...(disk && { disk }),
    close: async () => {
      await engine.close();
      await disk?.close();
      await lock.release();
    },
  };
}

/** On a small disk segments are small: one is removed as a whole. */
function segmentBytesFor({ totalBytes }: DiskWatch): number {
  return Math.min(SEGMENT_BYTES, Math.max(LEAST_SEGMENT_BYTES, totalBytes / 64));
}
