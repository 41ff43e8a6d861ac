import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { type NatsServer, startNats } from "./nats.ts";
import { serverFolder } from "./server-process.ts";
import { findProgram } from "./server-program.ts";

export interface NatsCluster {
  readonly folder: string;
  /** Its three servers; put what `restart` of one gives in its place. */
  readonly servers: NatsServer[];
  /** All of them, for a client. */
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

export class NatsClusterMissingError extends Error {
  constructor() {
    super(
      "nats-server: none of 2.10.27 or newer is here, and an older one may lose acknowledged messages in a cluster; " +
        "run `npm run servers`, which puts one aside (Debian, Ubuntu, as root), or install one first",
    );
    this.name = "NatsClusterMissingError";
  }
}

/**
 * Three servers that replicate, each told of all. The first stream may have to wait for an election of some seconds.
 * Throws {@link NatsClusterMissingError} where no nats-server is new enough.
 */
export async function startNatsCluster(options: { readonly folder?: string } = {}): Promise<NatsCluster> {
  const program = findProgram("nats-server-2.10");
  if (program === undefined) throw new NatsClusterMissingError();
  const { folder, remove } = serverFolder("nats-cluster", options.folder);
  const ports = [await freePort(), await freePort(), await freePort()];
  const routes = ports.map((port) => JSON.stringify(`nats://127.0.0.1:${port}`)).join(", ");
  const started = await Promise.allSettled(
    ports.map((port, index) =>
      startNats({
        program,
        folder: join(folder, `${index + 1}`),
        serverName: `server-${index + 1}`,
        config: [`cluster { name: millrace, listen: "127.0.0.1:${port}", routes: [${routes}] }`],
      }),
    ),
  );
  const servers = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    remove();
  };
  const failed = started.find((each) => each.status === "rejected");
  if (failed) {
    await stop();
    throw failed.reason;
  }
  return { folder, servers, urls: servers.map((server) => server.url), stop };
}
