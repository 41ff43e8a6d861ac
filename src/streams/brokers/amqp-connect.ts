import type { ChannelModel } from "amqplib";
import type { Env } from "../../env/env.ts";
import { connectProblem } from "./amqp-problem.ts";
import type { AmqpSettings } from "./amqp-settings.ts";
import { engineError } from "./engine-error.ts";
import { importClient } from "./import-client.ts";

/** Older servers know no `reject-publish`, and no quorum queues. */
const LEAST_VERSION = [3, 8] as const;
const CLOSE_WITHIN_MS = 2_000;

/**
 * One connection, made within a time. `purpose` is what the broker's own lists show of us.
 *
 * @throws StreamError MR_ENGINE_UNREACHABLE, MR_ENGINE_REFUSED, MR_ENGINE_TOO_OLD, MR_ENGINE_CLIENT_MISSING
 */
export async function connectAmqp(
  env: Env,
  settings: AmqpSettings,
  purpose: string,
  timeoutMs: number,
): Promise<ChannelModel> {
  const { address, protocol, host, port, user, password, vhost, heartbeatSeconds, tls } = settings;
  const { connect } = await importClient("RabbitMQ", "amqplib", () => import("amqplib"));
  const timeout = Math.max(1, timeoutMs);
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

/** Closes connections in order, so that what was sent before is read; a server that hangs answers no farewell. */
export async function takeLeave(env: Env, connections: readonly ChannelModel[]): Promise<void> {
  const closed = Promise.allSettled(connections.map((connection) => connection.close()));
  const enough = new AbortController();
  await Promise.race([closed, env.timers.sleep(CLOSE_WITHIN_MS, enough.signal).catch(() => undefined)]);
  enough.abort();
  for (const connection of connections) discard(connection);
}

/** Ends a connection at once: a farewell to a server that hangs would keep its socket for many minutes. */
export function discard(connection: ChannelModel): void {
  connection.on("error", () => undefined);
  const { stream } = connection.connection as { stream?: { destroy?: () => void } };
  stream?.destroy?.();
  // Its channels learn of it, and with them whoever waits for an answer.
  connection.close().catch(() => undefined);
}
