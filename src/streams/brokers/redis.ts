import { duration } from "../../definition/option-rules.ts";
import { group, optional, readOptions, rule, standard } from "../../definition/rule.ts";
import type { Env } from "../../env/env.ts";
import type { Broker, BrokerSession, SessionEvents } from "./broker.ts";
import type { MakeBroker } from "./open-broker.ts";
import { redisAddress } from "./redis-address.ts";
import { connectRedis, type RedisTls, redisProblem } from "./redis-connection.ts";
import { redisServerFacts } from "./redis-server-facts.ts";
import { RedisSession } from "./redis-session.ts";

const OPTIONS = group({
  tls: optional(
    rule("an object of ca, cert and key, each as PEM text", (value) =>
      typeof value === "object" && value !== null ? (value as RedisTls) : undefined,
    ),
    "Certificates for rediss://.",
  ),
  silenceMs: standard(
    duration(300),
    "9s",
    "A connection on which nothing is heard for so long is given up, although it may be open.",
  ),
});

/**
 * Redis Streams as a broker: a stream a queue, read by one consumer group, over `redis://` and, with TLS, `rediss://`.
 * Options, also in the URL's query: `silenceMs`; `tls`.
 *
 * @throws UsageError, DefinitionError MR_BAD_OPTION
 */
export const redisBroker: MakeBroker = (env, url, options): Broker => {
  const address = redisAddress(url);
  const { searchParams } = new URL(url);
  const { tls, silenceMs } = readOptions(
    OPTIONS,
    { ...Object.fromEntries(searchParams), ...options },
    `streams ${address.shown}`,
  );
  return {
    address: address.shown,
    connect: (events, timeoutMs) =>
      connect(env, { url, timeoutMs, silenceMs, ...(tls === undefined ? {} : { tls }) }, events),
  };
};

interface Attempt {
  readonly url: string;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly tls?: RedisTls;
}

async function connect(env: Env, attempt: Attempt, events: SessionEvents): Promise<BrokerSession> {
  const address = redisAddress(attempt.url);
  const by = env.clock.mono() + attempt.timeoutMs;
  let session: RedisSession | undefined;
  const open = () =>
    connectRedis(env, address, { ...attempt, timeoutMs: Math.max(1, by - env.clock.mono()) }, (problem) =>
      session?.lose(problem),
    );
  const client = await open();
  try {
    const facts = await redisServerFacts(client, address);
    const reading = await open();
    session = new RedisSession({ env, client, reading, facts, events, silenceMs: attempt.silenceMs });
    await session.start();
    return session;
  } catch (error) {
    client.disconnect();
    throw redisProblem(address.shown, error as Error);
  }
}
