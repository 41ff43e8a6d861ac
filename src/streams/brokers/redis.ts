import { duration } from "../../definition/option-rules.ts";
import { group, optional, readOptions, rule, standard } from "../../definition/rule.ts";
import type { Env } from "../../env/env.ts";
import { ensureError } from "../../errors.ts";
import type { Broker, BrokerSession, SessionEvents } from "./broker.ts";
import type { MakeBroker } from "./open-broker.ts";
import { type RedisAddress, redisAddress } from "./redis-address.ts";
import { connectRedis, type RedisConnectionOptions, redisProblem } from "./redis-connection.ts";
import { redisServerFacts } from "./redis-server-facts.ts";
import { RedisSession } from "./redis-session.ts";

const pem = rule("the content of a PEM file", (value) =>
  typeof value === "string" && value.includes("-----BEGIN ") ? value : undefined,
);

const OPTIONS = group({
  ca: optional(pem, "The authority to trust, for rediss://."),
  cert: optional(pem, "Our certificate, for rediss://."),
  key: optional(pem, "The key of our certificate."),
  silenceMs: standard(
    duration(300),
    "9s",
    "A connection on which nothing is heard for so long is given up, although it may be open.",
  ),
});

/**
 * Redis Streams as a broker: a stream a queue, read by one consumer group, over `redis://` and, with TLS, `rediss://`.
 * Options: `ca`, `cert`, `key` as PEM text; `silenceMs`, also in the URL's query.
 *
 * @throws UsageError, DefinitionError MR_BAD_OPTION
 */
export const redisBroker: MakeBroker = (env, url, options): Broker => {
  const address = redisAddress(url);
  const inUrl = Object.fromEntries(
    [...new URL(url).searchParams].map(([name, value]) => [
      name,
      /^\d+$/.test(value) ? Number(value) : value,
    ]),
  );
  const settings = readOptions(OPTIONS, { ...inUrl, ...options }, `streams ${address.shown}`);
  const { silenceMs } = settings;
  const tls = Object.fromEntries(
    (["ca", "cert", "key"] as const).flatMap((name) =>
      settings[name] === undefined ? [] : [[name, settings[name]]],
    ),
  );
  return {
    address: address.shown,
    connect: (events, timeoutMs) => connect(env, address, { timeoutMs, silenceMs, tls }, events),
  };
};

async function connect(
  env: Env,
  address: RedisAddress,
  options: RedisConnectionOptions,
  events: SessionEvents,
): Promise<BrokerSession> {
  const by = env.clock.mono() + options.timeoutMs;
  let session: RedisSession | undefined;
  const open = () =>
    connectRedis(
      env,
      address,
      { ...options, timeoutMs: Math.max(1, Math.ceil(by - env.clock.mono())) },
      (problem) => session?.lose(problem),
    );
  const client = await open();
  try {
    const facts = await redisServerFacts(client, address);
    const reading = await open();
    session = new RedisSession({ env, client, reading, facts, events, silenceMs: options.silenceMs });
    await session.start();
    return session;
  } catch (error) {
    client.disconnect();
    throw redisProblem(address.shown, ensureError(error));
  }
}
