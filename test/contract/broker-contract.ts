import type { Broker } from "../../src/streams/brokers/broker.ts";
import { BrokerEngine } from "../../src/streams/brokers/broker-engine.ts";
import { SegmentLog } from "../../src/streams/embedded/segment-log.ts";
import { MortalBroker } from "../support/mortal-broker.ts";
import { engineInFolder } from "./engine-in-folder.ts";
import { streamContract } from "./stream-contract.ts";

/**
 * The suite of all stream engines over a real broker: each test has queues of its own. A killed life leaves its log and
 * what is in the broker; its connections are cut.
 */
export function brokerContract(name: string, connect: () => Promise<Broker> | Broker): void {
  let tests = 0;
  streamContract(name, async () => {
    const broker = await connect();
    const test = ++tests;
    let life: MortalBroker | undefined;
    return engineInFolder(
      async (env, directory) => {
        life = new MortalBroker(broker);
        const { engine } = await BrokerEngine.open(env, {
          log: (snapshot) => new SegmentLog(env, { directory, sync: true, snapshot }),
          survives: "power-loss",
          broker: life,
          queueOf: (stream) => `millrace.contract.r${test}.${stream}`,
          waits: false,
        });
        return { engine, close: () => engine.close() };
      },
      async () => await life?.die(),
    );
  });
}
