import { afterAll, describe } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { natsBroker } from "../../src/streams/brokers/nats.ts";
import { type NatsServer, startNats } from "../support/nats.ts";
import { findProgram, isMissing } from "../support/server-program.ts";
import { brokerContract } from "./broker-contract.ts";

const PROGRAM = "nats-server-2.10";

// n.b. newer servers say more to whoever pulls: the one on the PATH may be too old to show it.
describe.skipIf(isMissing("nats-server", "nats-server-2.10"))("a newer server", () => {
  let server: NatsServer | undefined;
  afterAll(() => server?.stop());

  brokerContract("JetStream", async () => {
    server ??= await startNats({ program: findProgram(PROGRAM) as string });
    return natsBroker(nodeEnv, server.url, {});
  });
});
