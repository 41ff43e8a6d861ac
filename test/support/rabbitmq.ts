import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Certificates, certificates } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { definitions, environment, rabbitmqConf } from "./rabbitmq-files.ts";
import { type RunningServer, serverFolder, startServer } from "./server-process.ts";
import { findProgram, ServerMissingError } from "./server-program.ts";

export interface RabbitmqOptions {
  /** Where it keeps its files; by default a new temporary folder that `stop` removes. */
  readonly folder?: string;
  /** By default a free port of 127.0.0.1; name it to start a killed server again. */
  readonly port?: number;
  /** Virtual hosts that it has from the start. By default `/` alone; the first is in `url`. */
  readonly vhosts?: readonly string[];
  /** Names and passwords; each may do everything in every vhost. By default guest, guest. The first is in `url`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Serves TLS on its port, and nothing else, with certificates that are made in the folder. */
  readonly tls?: boolean;
  /** More lines for rabbitmq.conf. */
  readonly config?: readonly string[];
}

export interface RabbitmqServer extends RunningServer {
  /** With `tls`: the files that a client needs. */
  readonly certificates: Certificates | undefined;
  /** A new empty vhost, for a test that shares the server with others; resolves to its URL. Takes half a second. */
  addVhost(): Promise<string>;
  /** Runs rabbitmqctl against it and gives what it printed. Half a second each. */
  control(...args: string[]): Promise<string>;
  /** From now on it blocks all that publish, until `clearAlarm`. */
  raiseAlarm(kind: "memory" | "disk"): Promise<void>;
  clearAlarm(kind: "memory" | "disk"): Promise<void>;
  /** The same server again after `kill`: same port, folder and options. */
  restart(): Promise<RabbitmqServer>;
}

export class RabbitmqMissingError extends ServerMissingError {
  constructor() {
    super("rabbitmq-server");
    this.name = "RabbitmqMissingError";
  }
}

/**
 * A real rabbitmq-server of its own on 127.0.0.1; two may run side by side. It takes some four seconds: share one
 * among the tests of a file, by vhosts. Throws {@link RabbitmqMissingError} where there is none.
 */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const program = findProgram("rabbitmq-server");
  if (program === undefined) throw new RabbitmqMissingError();
  const { folder, remove } = serverFolder("rabbitmq", options.folder);
  try {
    const tls = options.tls === true ? certificates(join(folder, "tls")) : undefined;
    return await start(options, program, folder, remove, tls);
  } catch (error) {
    remove();
    throw error;
  }
}

async function start(
  options: RabbitmqOptions,
  program: string,
  folder: string,
  remove: () => void,
  tls: Certificates | undefined,
): Promise<RabbitmqServer> {
  mkdirSync(join(folder, "home"), { recursive: true });
  const file = (name: string): string => join(folder, name);
  writeFileSync(file("enabled_plugins"), "[].\n");
  writeFileSync(file("definitions.json"), definitions(usersOf(options), vhostsOf(options)));
  const registry = await startRegistry(folder);
  try {
    const distribution = await freePort();
    const env = environment(folder, registry.port, distribution);
    const { process, port } = await startServer(options.port, (port) => {
      writeFileSync(file("rabbitmq.conf"), rabbitmqConf(folder, port, tls, options.config ?? []));
      return {
        command: program,
        args: [],
        options: { env, cwd: folder },
        awaited: "the end of its start",
        // Its own words: it says so after it has bound the port, which no other process can have then.
        isReady: (_pid, printed) => printed.includes("Server startup complete"),
      };
    });
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      await process.end(signal);
      await registry.end();
    };
    return {
      port,
      pid: process.pid,
      folder,
      url: urlOf(options, port, vhostsOf(options)[0] ?? "/"),
      certificates: tls,
      printed: process.printed,
      async stop() {
        await end("SIGTERM");
        remove();
      },
      kill: () => end("SIGKILL"),
      restart: () => start({ ...options, port }, program, folder, remove, tls),
      ...controls(options, port, join(dirname(program), "rabbitmqctl"), env),
    };
  } catch (error) {
    await registry.end();
    throw error;
  }
}

type Controls = Pick<RabbitmqServer, "addVhost" | "control" | "raiseAlarm" | "clearAlarm">;

function controls(options: RabbitmqOptions, port: number, program: string, env: NodeJS.ProcessEnv): Controls {
  const control = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(program, ["--silent", ...args], { env, timeout: 60_000 });
    return stdout;
  };
  return {
    control,
    async addVhost() {
      const vhost = `v-${randomUUID()}`;
      const permissions = Object.keys(usersOf(options)).map(
        (user) =>
          `, ok = rabbit_auth_backend_internal:set_permissions(<<${JSON.stringify(user)}>>, Vhost, All, All, All, By)`,
      );
      const added = `Vhost = <<"${vhost}">>, All = <<".*">>, By = <<"tests">>, ok = rabbit_vhost:add(Vhost, By)`;
      await control("eval", `${added}${permissions.join("")}.`);
      return urlOf(options, port, vhost);
    },
    async raiseAlarm(kind) {
      // A limit that is passed at once: no memory may be used, more must be free than any disk has.
      if (kind === "memory") await control("set_vm_memory_high_watermark", "0");
      else await control("set_disk_free_limit", `${2 ** 52}`);
    },
    async clearAlarm(kind) {
      if (kind === "memory") await control("set_vm_memory_high_watermark", "0.6");
      else await control("set_disk_free_limit", "1000000");
    },
  };
}

/**
 * Erlang's registry of names, one for each server. A server would start one itself that outlives it, and nodes
 * that share one can't be killed and started apart.
 */
async function startRegistry(folder: string): Promise<{ readonly port: number; end(): Promise<void> }> {
  const { process, port } = await startServer(undefined, (port) => ({
    command: "epmd",
    args: ["-d", "-d", "-port", `${port}`, "-address", "127.0.0.1"],
    options: { cwd: folder },
    awaited: "the registry of Erlang's nodes",
    isReady: (_pid, printed) => printed.includes("entering the main select() loop"),
  }));
  return { port, end: () => process.end("SIGKILL") };
}

function usersOf(options: RabbitmqOptions): Readonly<Record<string, string>> {
  return options.users ?? { guest: "guest" };
}

function vhostsOf(options: RabbitmqOptions): readonly string[] {
  return options.vhosts ?? ["/"];
}

function urlOf(options: RabbitmqOptions, port: number, vhost: string): string {
  const [user, password] = Object.entries(usersOf(options))[0] ?? ["guest", "guest"];
  const access = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const scheme = options.tls === true ? "amqps" : "amqp";
  return `${scheme}://${access}@127.0.0.1:${port}/${encodeURIComponent(vhost)}`;
}
