import { type RedisServer, startRedis } from "../../test/support/redis.ts";
import { type Role, type Roles, startRoles } from "../roles.ts";
import { inFolder } from "./in-folder.ts";

/** Runs BullMQ's roles on a Redis of their own: AOF everysec, as its users have it. */
export function withBullmq<T>(
  parent: string,
  rolesOf: (redis: RedisServer) => readonly Role[],
  run: (roles: Roles) => Promise<T>,
): Promise<T> {
  return withRedisRoles(parent, "bullmq-roles.mjs", rolesOf, run);
}

/** {@link withBullmq} of another module's roles. */
export async function withRedisRoles<T>(
  parent: string,
  module: string,
  rolesOf: (redis: RedisServer) => readonly Role[],
  run: (roles: Roles) => Promise<T>,
): Promise<T> {
  return await inFolder(parent, async (folder) => {
    const redis = await startRedis({ folder, appendfsync: "everysec" });
    try {
      const roles = await startRoles(module, rolesOf(redis));
      try {
        return await run(roles);
      } finally {
        await roles.close();
      }
    } finally {
      await redis.stop();
    }
  });
}
