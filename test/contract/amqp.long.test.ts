import { afterAll, describe } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { amqpBroker } from "../../src/streams/brokers/amqp.ts";
import { type RabbitmqServer, startRabbitmq } from "../support/rabbitmq.ts";
import { isMissing } from "../support/server-program.ts";
import { brokerContract } from "./broker-contract.ts";

describe.skipIf(isMissing("rabbitmq-server"))("a real server", () => {
  let server: RabbitmqServer | undefined;
  afterAll(() => server?.stop());

  brokerContract("RabbitMQ", async () => {
    server ??= await startRabbitmq();
    return amqpBroker(nodeEnv, server.url, {});
  });
});
