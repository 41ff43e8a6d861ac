import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DiskFile, Env } from "../../src/env/env.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { BrokerEngine } from "../../src/streams/brokers/broker-engine.ts";
import { SegmentLog } from "../../src/streams/embedded/segment-log.ts";
import { type EngineSettings, type OpenedEngine, openEngine } from "../../src/streams/open-engine.ts";
import { FakeBroker, type FakeBrokerOptions } from "../support/fake-broker.ts";
import { type EngineUnderTest, streamContract } from "./stream-contract.ts";

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
type Open = (env: Env, directory: string) => Promise<Pick<OpenedEngine, "engine" | "close">>;

async function inFolder(openIn: Open): Promise<EngineUnderTest> {
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

const files =
  (durability: EngineSettings["durability"]): Open =>
  (env, directory) =>
    openEngine(env, { kind: "file", directory, durability });

streamContract("file", () => inFolder(files("disk")));
streamContract("file, durability: process", () => inFolder(files("process")));

/** Each life has the broker as the one before left it. */
function besideBroker(options: FakeBrokerOptions): () => Promise<EngineUnderTest> {
  return () => {
    let broker: FakeBroker | undefined;
    return inFolder(async (env, directory) => {
      broker = broker === undefined ? new FakeBroker(options) : broker.copy();
      const { engine } = await BrokerEngine.open(env, {
        log: (snapshot) => new SegmentLog(env, { directory, sync: true, snapshot }),
        survives: "power-loss",
        broker,
        queueOf: (stream) => `run.${stream}`,
        waits: false,
      });
      return { engine, close: () => engine.close() };
    });
  };
}

streamContract("broker", besideBroker({}));
streamContract("broker that takes small frames only", besideBroker({ maxFrameBytes: 100 }));

streamContract(
  "memory",
  async () => {
    const opened = await openEngine(nodeEnv, { kind: "memory", directory: "", durability: "disk" });
    const never = (): Promise<never> => Promise.reject(new Error("memory keeps nothing"));
    return {
      open: async () => opened.engine,
      killAndReopen: never,
      setFull: never,
      close: () => opened.close(),
    };
  },
  { keeps: false },
);
