import { existsSync } from "node:fs";
import { Redis } from "ioredis";
import { afterEach, expect, test } from "vitest";
import { RedisMissingError, type RedisServer, redisVersion, startRedis } from "./redis.ts";

const servers: RedisServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

test("two servers answer side by side, each with its own data, and leave nothing behind", async () => {
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

test("a killed server comes back on its port with what it had flushed", async () => {
  const first = await startRedis({ appendfsync: "always" });
  servers.push(first);
  const before = new Redis(first.port, "127.0.0.1");
  await before.set("kept", "yes");
  before.disconnect();
  await first.kill();

  const again = await startRedis({ folder: first.folder, port: first.port, appendfsync: "always" });
  servers.unshift(again);
  const after = new Redis(again.port, "127.0.0.1");
  expect(await after.get("kept")).toBe("yes");
  after.disconnect();
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

test("a port that is taken is an error with the server's own words", async () => {
  const first = await startRedis();
  servers.push(first);
  // A PING on that port is answered by the first server, so the second must be seen to have ended.
  await expect(startRedis({ port: first.port })).rejects.toThrow("Address already in use");
});
