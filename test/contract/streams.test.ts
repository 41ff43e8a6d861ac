import { nodeEnv } from "../../src/env/node.ts";
import { BrokerEngine } from "../../src/streams/brokers/broker-engine.ts";
import { SegmentLog } from "../../src/streams/embedded/segment-log.ts";
import { type EngineSettings, openEngine } from "../../src/streams/open-engine.ts";
import { FakeBroker, type FakeBrokerOptions } from "../support/fake-broker.ts";
import { engineInFolder, type OpenInFolder } from "./engine-in-folder.ts";
import { type EngineUnderTest, streamContract } from "./stream-contract.ts";

const files =
  (durability: EngineSettings["durability"]): OpenInFolder =>
  (env, directory) =>
    openEngine(env, { kind: "file", directory, durability });

streamContract("file", () => engineInFolder(files("disk")));
streamContract("file, durability: process", () => engineInFolder(files("process")));

/** Each life has the broker as the one before left it. */
function besideBroker(options: FakeBrokerOptions): () => Promise<EngineUnderTest> {
  return () => {
    let broker: FakeBroker | undefined;
    return engineInFolder(async (env, directory) => {
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
