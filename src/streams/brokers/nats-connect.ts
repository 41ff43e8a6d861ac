import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
import type { Env } from "../../env/env.ts";
import { engineError } from "./engine-error.ts";
import { importClient } from "./import-client.ts";
import { natsProblem } from "./nats-problem.ts";
import type { NatsSettings } from "./nats-settings.ts";
import { isBefore } from "./nats-version.ts";

/** A connection on which nothing comes is noticed after two to three of these. */
const PING_MS = 5_000;
/** What the client library and pull requests with heartbeats ask for. */
const OLDEST = [2, 9, 4];

export interface NatsLibraries {
  readonly client: typeof import("@nats-io/transport-node");
  readonly jetstream: typeof import("@nats-io/jetstream");
}

async function loadNats(): Promise<NatsLibraries> {
  const install = "@nats-io/transport-node @nats-io/jetstream";
  const [client, jetstream] = await Promise.all([
    importClient("NATS", "@nats-io/transport-node", () => import("@nats-io/transport-node"), install),
    importClient("NATS", "@nats-io/jetstream", () => import("@nats-io/jetstream"), install),
  ]);
  return { client, jetstream };
}

/** A connection that is made, and what talks over it. */
export interface DialedNats extends NatsLibraries {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
}

/**
 * Connects, once, and makes of the connection what is asked for; at most `timeoutMs` in all.
 *
 * @throws StreamError MR_ENGINE_UNREACHABLE, MR_ENGINE_REFUSED, MR_ENGINE_CLIENT_MISSING, and what `make` throws
 */
export async function connectNats<Made extends { close(): Promise<void> }>(
  env: Env,
  settings: NatsSettings,
  timeoutMs: number,
  make: (dialed: DialedNats) => Promise<Made>,
): Promise<Made> {
  const who = `NATS at ${settings.servers.join(",")}`;
  const attempt = dial(settings, timeoutMs, who, make);
  const inTime = new AbortController();
  const tooLate = env.timers.sleep(timeoutMs, inTime.signal).then(() => {
    // n.b. the client cannot be told to stop: what comes of it is closed when it comes.
    attempt.then((made) => made.close()).catch(() => undefined);
    throw engineError.unreachable(who, `no answer in ${timeoutMs} ms`);
  });
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([attempt, tooLate]);
  } finally {
    inTime.abort();
  }
}

async function dial<Made>(
  settings: NatsSettings,
  timeoutMs: number,
  who: string,
  make: (dialed: DialedNats) => Promise<Made>,
): Promise<Made> {
  const { client, jetstream } = await loadNats();
  let connection: NatsConnection | undefined;
  try {
    connection = await client.connect(dialOptions(settings, timeoutMs));
    const jsm = await jetstream.jetstreamManager(connection, { checkAPI: false });
    return await make({ client, jetstream, connection, jsm });
  } catch (error) {
    void connection?.close().catch(() => undefined);
    throw natsProblem(who, error);
  }
}

/**
 * Tells of the end of a connection. One whose pings go unanswered may never close: what it has to write may not be
 * taken, ever.
 */
export async function watchNats(
  connection: NatsConnection,
  onLost: (problem: unknown) => void,
): Promise<void> {
  void connection.closed().then((problem) => onLost(problem ?? "the connection was closed"));
  for await (const status of connection.status()) {
    if (status.type === "staleConnection") onLost("it does not answer pings");
    if (status.type === "error") onLost(status.error);
  }
}

/** One attempt at each server; the client's own reconnecting is off, since ours knows what has to be made again. */
function dialOptions({ servers, login, tls }: NatsSettings, timeoutMs: number): NodeConnectionOptions {
  return {
    servers: [...servers],
    name: "millrace",
    reconnect: false,
    timeout: Math.ceil(timeoutMs / servers.length),
    pingInterval: PING_MS,
    maxPingOut: 2,
    ...login,
    ...(tls && { tls }),
  };
}

/** For people: "NATS 2.10.27 at 127.0.0.1:4222". Throws StreamError MR_ENGINE_TOO_OLD. */
export function serverOf(connection: NatsConnection): string {
  const { version = "" } = connection.info ?? {};
  const server = `NATS ${version} at ${connection.getServer()}`;
  if (isBefore(version, OLDEST)) throw engineError.tooOld(server, `${OLDEST.join(".")} or newer`);
  return server;
}

/** Throws StreamError MR_ENGINE_REFUSED where there is no JetStream. */
export async function checkJetStream({ connection, jsm }: DialedNats): Promise<void> {
  const server = serverOf(connection);
  try {
    await jsm.getAccountInfo();
  } catch (error) {
    // The same answer comes from a cluster that is electing; only who connects to it knows which it is.
    const isOff =
      connection.info?.jetstream !== true && error instanceof Error && error.name === "JetStreamNotEnabled";
    if (isOff)
      throw engineError.refused(
        server,
        "JetStream is not enabled; start it with nats-server --jetstream, or add jetstream {} to its configuration",
      );
    throw natsProblem(server, error);
  }
}
