import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection, NodeConnectionOptions } from "@nats-io/transport-node";
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

/** @throws StreamError MR_ENGINE_CLIENT_MISSING */
export async function loadNats(): Promise<NatsLibraries> {
  const install = "@nats-io/transport-node @nats-io/jetstream";
  const [client, jetstream] = await Promise.all([
    importClient("NATS", "@nats-io/transport-node", () => import("@nats-io/transport-node"), install),
    importClient("NATS", "@nats-io/jetstream", () => import("@nats-io/jetstream"), install),
  ]);
  return { client, jetstream };
}

/** One attempt at each server; the client's own reconnecting is off, since ours knows what has to be made again. */
export function dialOptions({ servers, login, tls }: NatsSettings, timeoutMs: number): NodeConnectionOptions {
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

/**
 * The server for people, once it is known to do what we need.
 *
 * @throws StreamError MR_ENGINE_TOO_OLD, or MR_ENGINE_REFUSED without JetStream.
 */
export async function checkServer(connection: NatsConnection, jsm: JetStreamManager): Promise<string> {
  const { version = "", jetstream } = connection.info ?? {};
  const server = `NATS ${version} at ${connection.getServer()}`;
  if (isBefore(version, OLDEST)) throw engineError.tooOld(server, `${OLDEST.join(".")} or newer`);
  try {
    await jsm.getAccountInfo();
  } catch (error) {
    // The same answer comes from a cluster that is electing; only who connects to it knows which it is.
    const isOff = jetstream !== true && error instanceof Error && error.name === "JetStreamNotEnabled";
    if (isOff)
      throw engineError.refused(
        server,
        "JetStream is not enabled; start it with nats-server --jetstream, or add jetstream {} to its configuration",
      );
    throw natsProblem(server, error);
  }
  return server;
}
