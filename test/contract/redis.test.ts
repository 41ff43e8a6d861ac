import { afterAll, describe } from "vitest";
import { nodeEnv } from "../../src/env/node.ts";
import { redisBroker } from "../../src/streams/brokers/redis.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { isMissing } from "../support/server-program.ts";
import { brokerContract } from "./broker-contract.ts";

describe.skipIf(isMissing("redis-server"))("a real server", () => {
  let server: RedisServer | undefined;
  afterAll(() => server?.stop());

  brokerContract("Redis", async () => {
    server ??= await startRedis({ appendfsync: "always" });
    return redisBroker(nodeEnv, server.url, {});
  });
});
