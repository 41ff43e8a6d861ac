import { existsSync, readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";
import { RedisMissingError, type RedisServer, redisVersion, startRedis } from "./redis.ts";
import { isMissing } from "./server-program.ts";

const served = test.skipIf(isMissing("redis-server", "openssl"));
const servers: RedisServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

served("two servers answer side by side, each with its own data, and leave nothing behind", async () => {
  const first = await startRedis();
  const second = await startRedis();
  servers.push(first, second);
  const one = new Redis(first.port, "127.0.0.1");
  const two = new Redis(second.port, "127.0.0.1");
  await one.set("who", "first");
  expect(await two.get("who")).toBeNull();
  expect(await one.config("GET", "appendfsync")).toEqual(["appendfsync", "everysec"]);
  expect(await one.config("GET", "save")).toEqual(["save", ""]);
  one.disconnect();
  two.disconnect();
  await first.stop();
  expect(existsSync(first.folder)).toBe(false);
  expect(() => process.kill(first.pid, 0)).toThrow("ESRCH");
});

served("a killed server comes back on its port with what it had flushed", async () => {
  const first = await startRedis({ appendfsync: "always" });
  servers.push(first);
  const before = new Redis(first.port, "127.0.0.1");
  await before.set("kept", "yes");
  before.disconnect();
  await first.kill();

  const again = await first.restart();
  servers[0] = again;
  const after = new Redis(again.port, "127.0.0.1");
  expect(await after.get("kept")).toBe("yes");
  after.disconnect();
});

served("TLS and a password are what a client meets", async () => {
  const server = await startRedis({ tls: true, password: "ra/ce @1" });
  servers.push(server);
  const { ca = "", otherCa = "" } = server.certificates ?? {};
  const answer = async (url: string, trusted: string): Promise<string> => {
    const client = new Redis(url, {
      tls: { ca: readFileSync(trusted) },
      lazyConnect: true,
      retryStrategy: null,
    });
    // It tries for ever; the first failure is the answer.
    const failed = new Promise<never>((_resolve, reject) => client.once("error", reject));
    try {
      return await Promise.race([failed, client.ping()]);
    } finally {
      client.disconnect();
    }
  };
  expect(await answer(server.url, ca)).toBe("PONG");
  await expect(answer(server.url, otherCa)).rejects.toThrow();
  await expect(answer(`rediss://:wrong@127.0.0.1:${server.port}`, ca)).rejects.toThrow(/WRONGPASS|NOAUTH/);
});

test("without redis-server the error says how to get it", async () => {
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  try {
    expect(() => redisVersion()).toThrow(RedisMissingError);
    await expect(startRedis()).rejects.toThrow("apt-get install redis-server");
  } finally {
    process.env.PATH = path;
  }
});

served("a port that is taken is an error with the server's own words", async () => {
  const first = await startRedis();
  servers.push(first);
  // A PING on that port is answered by the first server, so the second must be seen to have ended.
  await expect(startRedis({ port: first.port })).rejects.toThrow("Address already in use");
});
