import type { Redis } from "ioredis";
import type { Env } from "../../env/env.ts";
import { ensureError, type StreamError } from "../../errors.ts";
import { engineError } from "./engine-error.ts";
import { importClient } from "./import-client.ts";
import type { RedisAddress } from "./redis-address.ts";

/** Certificates as PEM text. */
export interface RedisTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface RedisConnectionOptions {
  readonly tls?: RedisTls;
  /** How long one attempt to connect may take. */
  readonly timeoutMs: number;
  /** Commands outstanding and no byte for so long: the connection is half open. */
  readonly silenceMs: number;
}

/** What an authority, a name or a time says against the other side's certificate, or a side that speaks no TLS. */
const TLS_PROBLEM = /CERT|ERR_SSL|ERR_TLS|EPROTO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA/;
/** Replies that a person must do something about. */
const REFUSALS =
  /^(WRONGPASS|NOAUTH|NOPERM|DENIED)\b|invalid password|DB index is out of range|cluster mode/i;
/** A password was given and none is needed. */
const NEEDLESS_PASSWORD = /without any password configured|no password is set/;

/**
 * Connects once, says who we are and chooses the database. The connection does not come back by itself, and keeps
 * nothing for later: what cannot be sent fails.
 *
 * @param onLost called once, when a connection that was given out is gone.
 * @throws StreamError MR_ENGINE_UNREACHABLE, MR_ENGINE_REFUSED or MR_ENGINE_CLIENT_MISSING
 */
export async function connectRedis(
  env: Env,
  address: RedisAddress,
  options: RedisConnectionOptions,
  onLost: (problem: StreamError) => void,
): Promise<Redis> {
  const { Redis: Client } = await importClient("Redis", "ioredis", () => import("ioredis"));
  const client = new Client({
    host: address.host,
    port: address.port,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    // The handshake is ours: the client's own talks to the console when a password is not needed.
    protocol: 2,
    disableClientInfo: true,
    connectTimeout: options.timeoutMs,
    socketTimeout: options.silenceMs,
    ...(address.isTls && { tls: { servername: nameForTls(address.host), ...options.tls } }),
  });
  // The client's promises say no more than that the connection is closed.
  let why: Error | undefined;
  client.on("error", (error: Error) => (why ??= error));
  const timeout = env.timers.after(options.timeoutMs, () => {
    why ??= new Error(`no answer within ${options.timeoutMs} ms`);
    client.disconnect();
  });
  try {
    await client.connect();
    await introduce(client, address);
  } catch (error) {
    client.disconnect();
    throw redisProblem(address.shown, why ?? ensureError(error));
  } finally {
    timeout.cancel();
  }
  client.once("end", () =>
    onLost(redisProblem(address.shown, why ?? new Error("the server closed the connection"))),
  );
  return client;
}

/** n.b. an IP address must not stand in a TLS handshake. */
function nameForTls(host: string): string {
  return /^[\d.]+$|:/.test(host) ? "" : host;
}

async function introduce(client: Redis, { user, password, database }: RedisAddress): Promise<void> {
  if (password !== undefined || user !== undefined) {
    const credentials = user === undefined ? [password ?? ""] : [user, password ?? ""];
    await client.call("AUTH", credentials).catch((error: Error) => {
      if (!NEEDLESS_PASSWORD.test(error.message)) throw error;
    });
  }
  if (database !== 0) await client.select(database);
  else await client.ping();
}

/** What went wrong while talking to a server, as the error of a driver; what is one already stays as it is. */
export function redisProblem(who: string, problem: Error): StreamError {
  if ("code" in problem && typeof problem.code === "string" && problem.code.startsWith("MR_"))
    return problem as StreamError;
  const { message } = problem;
  const code = "code" in problem ? String(problem.code) : "";
  if (REFUSALS.test(message) || TLS_PROBLEM.test(code)) return engineError.refused(who, problem);
  if (/Unknown RESP type|Please report this/.test(message))
    return engineError.refused(who, "what answers there is not a Redis server");
  if (message.startsWith("Socket timeout"))
    return engineError.unreachable(who, "nothing was heard of it for too long; the connection is given up");
  return engineError.unreachable(who, problem);
}
