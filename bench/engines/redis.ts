import { redisVersion, startRedis } from "../../test/support/redis.ts";
import type { EngineBench } from "./engine-bench.ts";

export const redis: EngineBench = {
  name: "redis",
  what: "Redis Streams, append-only file flushed every second",
  roles: "engines/redis-roles.mjs",
  async start(folder) {
    const server = await startRedis({ folder, appendfsync: "everysec" });
    return {
      pid: server.pid,
      url: server.url,
      version: `Redis ${redisVersion()}`,
      stop: () => server.stop(),
    };
  },
};
