import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Certificates, certificates } from "./certificates.ts";
import { type RunningServer, serverFolder, startServer } from "./server-process.ts";
import { findProgram, ServerMissingError } from "./server-program.ts";

export interface NatsOptions {
  /** Where it keeps its files; by default a new temporary folder that `stop` removes. */
  readonly folder?: string;
  /** By default a free port of 127.0.0.1; name it to start a killed server again. */
  readonly port?: number;
  /** Names and passwords of those who may connect; without it anybody may. The first is in `url`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Serves TLS, with certificates that are made in the folder. */
  readonly tls?: boolean;
  /** Largest message in bytes; NATS's own default is 1 MiB. */
  readonly maxPayload?: number;
  /** JetStream's room on disk in bytes. By default 1 GiB. */
  readonly maxFile?: number;
  /** `false` leaves JetStream out. */
  readonly jetstream?: boolean;
  /** More lines for its configuration file. */
  readonly config?: readonly string[];
  /** Its unique name; only a cluster needs to say it. */
  readonly serverName?: string;
  /** Another nats-server than the one on the PATH. */
  readonly program?: string;
}

export interface NatsServer extends RunningServer {
  /** With `tls`: the files that a client needs. */
  readonly certificates: Certificates | undefined;
  /** The same server again after `kill`: same port, folder and options. */
  restart(): Promise<NatsServer>;
}

export class NatsMissingError extends ServerMissingError {
  constructor() {
    super("nats-server");
    this.name = "NatsMissingError";
  }
}

/** The version of the `nats-server` on the PATH, such as `2.9.10`. Throws {@link NatsMissingError}. */
export function natsVersion(program: string | undefined = findProgram("nats-server")): string {
  if (program === undefined) throw new NatsMissingError();
  const { stdout, error } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (error) throw new NatsMissingError();
  return /v(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1] ?? stdout.trim();
}

/**
 * A real nats-server of its own on 127.0.0.1, with JetStream in its folder. Resolves when it greets a client.
 * Throws {@link NatsMissingError} where there is none.
 */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const program = options.program ?? findProgram("nats-server");
  if (program === undefined) throw new NatsMissingError();
  const { folder, remove } = serverFolder("nats", options.folder);
  try {
    const tls = options.tls === true ? certificates(join(folder, "tls")) : undefined;
    return await start(options, program, folder, remove, tls);
  } catch (error) {
    remove();
    throw (error as NodeJS.ErrnoException).code === "ENOENT" ? new NatsMissingError() : error;
  }
}

async function start(
  options: NatsOptions,
  program: string,
  folder: string,
  remove: () => void,
  tls: Certificates | undefined,
): Promise<NatsServer> {
  const config = join(folder, "nats.conf");
  const { process, port } = await startServer(options.port, (port) => {
    // A name of this very start: in the greeting it tells our process from one that had the port before.
    const serverName = options.serverName ?? `millrace-${randomUUID()}`;
    writeFileSync(config, configuration(options, { port, serverName, folder, tls }), { mode: 0o600 });
    return {
      command: program,
      args: ["--config", config],
      awaited: "its greeting",
      isReady: (_pid, printed) => printed.includes("Server is ready") && greetsAs(port, serverName),
    };
  });
  const [user, password] = Object.entries(options.users ?? {})[0] ?? [];
  const access =
    user === undefined ? "" : `${encodeURIComponent(user)}:${encodeURIComponent(password ?? "")}@`;
  return {
    port,
    pid: process.pid,
    folder,
    url: `nats://${access}127.0.0.1:${port}`,
    certificates: tls,
    printed: process.printed,
    async stop() {
      await process.end("SIGTERM");
      remove();
    },
    kill: () => process.end("SIGKILL"),
    restart: () => start({ ...options, port }, program, folder, remove, tls),
  };
}

function configuration(
  options: NatsOptions,
  own: { port: number; serverName: string; folder: string; tls: Certificates | undefined },
): string {
  const users = Object.entries(options.users ?? {}).map(
    ([user, password]) => `{ user: ${JSON.stringify(user)}, password: ${JSON.stringify(password)} }`,
  );
  const store = JSON.stringify(join(own.folder, "jetstream"));
  return [
    `listen: "127.0.0.1:${own.port}"`,
    `server_name: ${JSON.stringify(own.serverName)}`,
    ...(options.maxPayload === undefined ? [] : [`max_payload: ${options.maxPayload}`]),
    ...(options.jetstream === false
      ? []
      : [`jetstream { store_dir: ${store}, max_mem: 256MB, max_file: ${options.maxFile ?? 2 ** 30} }`]),
    ...(users.length === 0 ? [] : [`authorization { users: [${users.join(", ")}] }`]),
    ...(own.tls
      ? [`tls { cert_file: ${JSON.stringify(own.tls.cert)}, key_file: ${JSON.stringify(own.tls.key)} }`]
      : []),
    ...(options.config ?? []),
    "",
  ].join("\n");
}

/** Whether the server that greets there bears this name. The greeting comes in clear, before TLS too. */
function greetsAs(port: number, serverName: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let greeting = "";
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.on("data", (data) => {
      greeting += data;
      if (greeting.includes("\r\n")) settle(greeting.includes(`"server_name":${JSON.stringify(serverName)}`));
    });
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
