import type { ChannelModel } from "amqplib";
import type { Env } from "../../env/env.ts";
import { connectProblem } from "./amqp-problem.ts";
import { AmqpSession, discard } from "./amqp-session.ts";
import { type AmqpSettings, amqpSettings } from "./amqp-settings.ts";
import { engineError } from "./engine-error.ts";
import { importClient } from "./import-client.ts";
import type { MakeBroker } from "./open-broker.ts";

/** Older servers know no `reject-publish`, and no quorum queues. */
const LEAST_VERSION = [3, 8] as const;

/**
 * RabbitMQ as a broker: `amqp://user:password@host:5672/vhost`, or amqps://.
 *
 * Options: `queueType` "classic" (default) or "quorum"; `arguments` of the queues; `exchange`, a durable direct
 * exchange to publish through; `heartbeatSeconds`, 10 by default: a server that is silent for about two to three times as
 * long is taken for gone; `ca`, `cert` and `key` for TLS, as PEM texts.
 */
export const amqpBroker: MakeBroker = (env, url, options) => {
  const settings = amqpSettings(url, options);
  return {
    address: settings.address,
    async connect(events, timeoutMs) {
      const deadline = env.clock.mono() + timeoutMs;
      const work = await connection(env, settings, "work", deadline);
      const publishing = await connection(env, settings, "publishing", deadline).catch((error: unknown) => {
        discard(work);
        throw error;
      });
      return AmqpSession.open(env, settings, [work, publishing], events).catch((error: unknown) => {
        throw connectProblem(error, settings.address);
      });
    },
  };
};

async function connection(
  env: Env,
  settings: AmqpSettings,
  purpose: string,
  deadline: number,
): Promise<ChannelModel> {
  const { address, protocol, host, port, user, password, vhost, heartbeatSeconds, tls } = settings;
  const { connect } = await importClient("RabbitMQ", "amqplib", () => import("amqplib"));
  const timeout = Math.max(1, deadline - env.clock.mono());
  const made = connect(
    {
      protocol,
      hostname: host,
      port,
      username: user,
      password,
      vhost,
      heartbeat: heartbeatSeconds,
    },
    {
      noDelay: true,
      keepAlive: true,
      timeout,
      ...tls,
      clientProperties: { connection_name: `millrace ${purpose}` },
    },
  );
  const late = new AbortController();
  const isLate = env.timers.sleep(timeout, late.signal).then(() => {
    // The client measures silence alone; one that answers byte by byte is given up here.
    made.then(discard, () => undefined);
    throw new Error("ETIMEDOUT");
  });
  isLate.catch(() => undefined);
  try {
    const connected = await Promise.race([made, isLate]);
    // n.b. until its session listens, nobody else would.
    connected.on("error", () => undefined);
    checkVersion(connected, address);
    return connected;
  } catch (error) {
    throw connectProblem(error, address);
  } finally {
    late.abort();
  }
}

function checkVersion(connected: ChannelModel, address: string): void {
  const { product, version } = connected.connection.serverProperties;
  if (product !== "RabbitMQ") return;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor >= LEAST_VERSION[1])) return;
  discard(connected);
  throw engineError.tooOld(
    `RabbitMQ ${version} at ${address}`,
    `version ${LEAST_VERSION.join(".")} or newer`,
  );
}
