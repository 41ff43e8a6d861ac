import type { Redis } from "ioredis";
import type { Durability } from "../contract.ts";
import { engineError } from "./engine-error.ts";
import type { RedisAddress } from "./redis-address.ts";

/** What a Redis server says of itself. */
export interface RedisServerFacts {
  /** "Redis 7.0.15 at 127.0.0.1:6379". */
  readonly server: string;
  readonly confirmSurvives: Durability;
  /** The largest value that it takes. */
  readonly maxValueBytes: number;
  /** What whoever runs it should know, each with what to do. */
  readonly cautions: readonly string[];
}

const OLDEST = [6, 2] as const;
/** Redis's own limit, unless it is configured. */
const MAX_VALUE_BYTES = 512 * 1024 * 1024;

/**
 * Asks a server who it is and what its confirmations are worth.
 *
 * @throws StreamError MR_ENGINE_UNREACHABLE while it is loading or is a replica, MR_ENGINE_TOO_OLD, MR_ENGINE_REFUSED
 *   when it is a node of a cluster
 */
export async function redisServerFacts(client: Redis, address: RedisAddress): Promise<RedisServerFacts> {
  // n.b. it may be forbidden to this user; then little is known.
  const info = infoOf(await client.info().catch(ifForbidden("")));
  const at = `${address.host}:${address.port}`;
  const [name, version] = nameOf(info);
  const server = `${name}${version === undefined ? "" : ` ${version}`} at ${at}`;
  if (info.get("loading") === "1") {
    throw engineError.unreachable(server, "LOADING: it is still reading its data");
  }
  const redisVersion = info.get("redis_version");
  if (redisVersion !== undefined && isOlder(redisVersion)) {
    throw engineError.tooOld(server, `Redis ${OLDEST.join(".")} or later`);
  }
  const mode = info.get("redis_mode") ?? "standalone";
  if (mode !== "standalone") {
    throw engineError.refused(
      server,
      mode === "cluster"
        ? "it is a node of a cluster, whose keys lie on several servers; name a server that stands alone"
        : `it is a ${mode}, which keeps no data; name a server`,
    );
  }
  if (info.get("role") === "slave") {
    throw engineError.unreachable(server, "it is a replica; the primary is needed");
  }
  return { server, ...(await promiseOf(client, info)) };
}

async function promiseOf(
  client: Redis,
  info: ReadonlyMap<string, string>,
): Promise<Omit<RedisServerFacts, "server">> {
  const [fsync, policy, largest] = await Promise.all([
    setting(client, "appendfsync"),
    setting(client, "maxmemory-policy"),
    setting(client, "proto-max-bulk-len"),
  ]);
  const cautions: string[] = [];
  const isKept = info.get("aof_enabled") === "1";
  if (!isKept) {
    cautions.push("appendonly is no: what it confirmed is gone when it dies; set appendonly yes");
  } else if (fsync === "everysec") {
    cautions.push(
      "appendfsync is everysec: a power cut costs about a second of what it confirmed, and where its disk is slow so " +
        "does kill -9; set appendfsync always where that matters",
    );
  }
  const evicts = policy ?? info.get("maxmemory_policy");
  if (info.get("maxmemory") !== "0" && evicts?.startsWith("allkeys") === true) {
    cautions.push(
      `maxmemory-policy is ${evicts}: when its memory is full it throws away what it confirmed; set noeviction`,
    );
  }
  return {
    confirmSurvives: !isKept ? "nothing" : fsync === "always" ? "power-loss" : "process-death",
    maxValueBytes: Number(largest) || MAX_VALUE_BYTES,
    cautions,
  };
}

/** A setting of the server; undefined where this user may not ask. */
async function setting(client: Redis, name: string): Promise<string | undefined> {
  const pair = (await client.config("GET", name).catch(ifForbidden([]))) as string[];
  return pair[1];
}

/** Takes no for an answer: NOPERM, or a hosted server that does not know the command. */
function ifForbidden<T>(instead: T): (error: Error) => T {
  return (error) => {
    if (/^NOPERM|unknown command|not allowed/i.test(error.message)) return instead;
    throw error;
  };
}

function infoOf(text: string): ReadonlyMap<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0 && line[0] !== "#") facts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return facts;
}

function nameOf(info: ReadonlyMap<string, string>): [name: string, version: string | undefined] {
  const valkey = info.get("valkey_version");
  return valkey === undefined ? ["Redis", info.get("redis_version")] : ["Valkey", valkey];
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}
