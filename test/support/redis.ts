import { spawnSync } from "node:child_process";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { type Certificates, certificates } from "./certificates.ts";
import { type RunningServer, serverFolder, startServer } from "./server-process.ts";
import { findProgram, ServerMissingError } from "./server-program.ts";

export interface RedisOptions {
  /** Where it keeps its files; by default a new temporary folder that `stop` removes. */
  readonly folder?: string;
  /** By default a free port of 127.0.0.1; name it to start a killed server again. */
  readonly port?: number;
  /** When the append-only file is flushed: Redis's own default is `everysec`. `off` keeps nothing on disk. */
  readonly appendfsync?: "everysec" | "always" | "no" | "off";
  /** Asked of every client; in `url` too. */
  readonly password?: string;
  /** Serves TLS on its port, and nothing else, with certificates that are made in the folder. */
  readonly tls?: boolean;
  /** More of its command line, such as `["--maxmemory", "4mb"]`. */
  readonly config?: readonly string[];
}

export interface RedisServer extends RunningServer {
  /** With `tls`: the files that a client needs. */
  readonly certificates: Certificates | undefined;
  /** The same server again after `kill`: same port, folder and options. */
  restart(): Promise<RedisServer>;
}

export class RedisMissingError extends ServerMissingError {
  constructor() {
    super("redis-server");
    this.name = "RedisMissingError";
  }
}

/** The version of the `redis-server` on the PATH, such as `7.0.15`. Throws {@link RedisMissingError}. */
export function redisVersion(): string {
  const { stdout, error } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (error) throw new RedisMissingError();
  return /v=(\S+)/.exec(stdout)?.[1] ?? stdout.trim();
}

/**
 * A real redis-server of its own on 127.0.0.1. Resolves when it answers PING, which a server that is still
 * loading its append-only file does not. Throws {@link RedisMissingError} where there is none.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const program = findProgram("redis-server");
  if (program === undefined) throw new RedisMissingError();
  const { folder, remove } = serverFolder("redis", options.folder);
  try {
    const tls = options.tls === true ? certificates(join(folder, "tls")) : undefined;
    return await start(options, program, folder, remove, tls);
  } catch (error) {
    remove();
    throw error;
  }
}

async function start(
  options: RedisOptions,
  program: string,
  folder: string,
  remove: () => void,
  tls: Certificates | undefined,
): Promise<RedisServer> {
  const { process, port } = await startServer(options.port, (port) => ({
    command: program,
    args: commandLine(options, port, folder, tls),
    awaited: "its answer to PING",
    isReady: (pid) => answersPing(port, pid, options),
  }));
  const access = options.password === undefined ? "" : `:${encodeURIComponent(options.password)}@`;
  return {
    port,
    pid: process.pid,
    folder,
    url: `${tls ? "rediss" : "redis"}://${access}127.0.0.1:${port}`,
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

function commandLine(
  options: RedisOptions,
  port: number,
  folder: string,
  tls: Certificates | undefined,
): string[] {
  const fsync = options.appendfsync ?? "everysec";
  return [
    ...(tls
      ? ["--port", "0", "--tls-port", `${port}`, "--tls-cert-file", tls.cert, "--tls-key-file", tls.key]
      : ["--port", `${port}`]),
    ...(tls ? ["--tls-ca-cert-file", tls.ca, "--tls-auth-clients", "no"] : []),
    ...["--bind", "127.0.0.1", "--dir", folder, "--save", ""],
    ...(fsync === "off" ? ["--appendonly", "no"] : ["--appendonly", "yes", "--appendfsync", fsync]),
    ...(options.password === undefined ? [] : ["--requirepass", options.password]),
    ...(options.config ?? []),
  ];
}

/** Whether the server that answers there is process `pid`, and not one that had the port before it. */
function answersPing(port: number, pid: number, { tls, password }: RedisOptions): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const ask = () => {
      if (password !== undefined) socket.write(`AUTH ${JSON.stringify(password)}\r\n`);
      socket.write("PING\r\nINFO server\r\n");
    };
    // Who answers is told by its pid; whom to trust is the matter of the client that a test is about.
    const socket =
      tls === true
        ? connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }, ask)
        : connectPlain(port, "127.0.0.1", ask);
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.on("data", (data) => {
      answer += data;
      const answering = /process_id:(\d+)\r/.exec(answer)?.[1];
      if (answering !== undefined) settle(answer.includes("+PONG\r") && answering === `${pid}`);
    });
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
