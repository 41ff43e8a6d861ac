import type { Env } from "../../env/env.ts";
import { UsageError } from "../../errors.ts";
import type { Broker } from "./broker.ts";

/** What a user may say about an engine beyond its URL; each driver checks the ones that it knows. */
export type BrokerOptions = Readonly<Record<string, unknown>>;

/** Makes a driver: nothing is connected and no client library is loaded before its first `connect`. */
export type MakeBroker = (env: Env, url: string, options: BrokerOptions) => Broker;

/** URL schemes of brokers, each with the loader of its driver: one that is not used is not loaded. */
const DRIVERS: Readonly<Record<string, () => Promise<MakeBroker>>> = {
  "amqp:": async () => (await import("./amqp.ts")).amqpBroker,
  "amqps:": async () => (await import("./amqp.ts")).amqpBroker,
  "nats:": async () => (await import("./nats.ts")).natsBroker,
  "redis:": async () => (await import("./redis.ts")).redisBroker,
  "rediss:": async () => (await import("./redis.ts")).redisBroker,
};

export const BROKER_SCHEMES: readonly string[] = Object.keys(DRIVERS);

/**
 * The broker at a URL.
 *
 * @throws UsageError MR_BAD_OPTION when it is no URL of a broker that millrace knows.
 */
export async function openBroker(env: Env, url: string, options: BrokerOptions = {}): Promise<Broker> {
  const scheme = URL.canParse(url) ? new URL(url).protocol : "";
  const load = DRIVERS[scheme];
  if (load === undefined) {
    const named = BROKER_SCHEMES.map((known) => `${known}//`).join(", ");
    throw new UsageError(
      "MR_BAD_OPTION",
      `streams: no broker is reached by ${scheme === "" ? "what is no URL" : `${scheme}//`}; use ${named}`,
    );
  }
  return (await load())(env, url, options);
}
