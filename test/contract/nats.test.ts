import { afterAll, describe } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { natsBroker } from "../../src/streams/brokers/nats.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { isMissing } from "../support/server-program.ts";
import { brokerContract } from "./broker-contract.ts";

describe.skipIf(isMissing("nats-server"))("a real server", () => {
  let server: NatsServer | undefined;
  afterAll(() => server?.stop());

  brokerContract("JetStream", async () => {
    server ??= await startNats();
    return natsBroker(nodeEnv, server.url, {});
  });
});
