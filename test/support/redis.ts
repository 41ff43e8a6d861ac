import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

export interface RedisOptions {
  /** Where it keeps its files; by default a new temporary folder that `stop` removes. */
  readonly folder?: string;
  /** By default a free port of 127.0.0.1; name it to start a killed server again. */
  readonly port?: number;
  /** When the append-only file is flushed: Redis's own default is `everysec`. `off` keeps nothing on disk. */
  readonly appendfsync?: "everysec" | "always" | "no" | "off";
}

export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  /** `redis://127.0.0.1:PORT` */
  readonly url: string;
  /** Ends it in good order and removes the folder when it was made by `startRedis`. */
  stop(): Promise<void>;
  /** SIGKILL; its files stay, for another `startRedis` with this `folder` and `port`. */
  kill(): Promise<void>;
}

export class RedisMissingError extends Error {
  constructor() {
    super(
      "redis-server: not found on the PATH; install it with `apt-get install redis-server` (Debian, Ubuntu), " +
        "`dnf install redis` (Fedora) or `brew install redis` (macOS)",
    );
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
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "millrace-redis-"));
  const ours = options.folder === undefined;
  try {
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort());
      const started = await tryStart(folder, port, options.appendfsync ?? "everysec");
      if (typeof started !== "string") return server(started, port, folder, ours);
      // Between the look for a free port and the start somebody else may have taken it.
      if (options.port === undefined && attempt < 3 && started.includes("Address already in use")) continue;
      throw new Error(
        `redis-server: did not start on port ${port}; its last words:\n${started.slice(-2_000)}`,
      );
    }
  } catch (error) {
    if (ours) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function server(child: ChildProcess, port: number, folder: string, ours: boolean): RedisServer {
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      process.off("exit", killWithUs);
      resolve();
    });
  });
  const end = (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    return ended;
  };
  return {
    port,
    pid: child.pid as number,
    folder,
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      await end("SIGTERM");
      if (ours) rmSync(folder, { recursive: true, force: true });
    },
    kill: () => end("SIGKILL"),
  };
}

/** The process when it answers, or what it printed when it ended instead. */
async function tryStart(folder: string, port: number, fsync: string): Promise<ChildProcess | string> {
  const persistence =
    fsync === "off" ? ["--appendonly", "no"] : ["--appendonly", "yes", "--appendfsync", fsync];
  const child = spawn(
    "redis-server",
    ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...persistence],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let printed = "";
  child.stdout.on("data", (chunk) => (printed = (printed + chunk).slice(-4_000)));
  child.stderr.on("data", (chunk) => (printed = (printed + chunk).slice(-4_000)));
  let failed: Error | undefined;
  child.once("error", (error) => (failed = error));
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    if (failed) throw (failed as NodeJS.ErrnoException).code === "ENOENT" ? new RedisMissingError() : failed;
    if (child.exitCode !== null || child.signalCode !== null) return printed;
    if (await answersPing(port, child.pid)) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGKILL");
  return `${printed}\nno answer to PING in 20 s`;
}

/** Whether the server that answers there is process `pid`, and not one that had the port before it. */
function answersPing(port: number, pid: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\nINFO server\r\n"));
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.on("data", (data) => {
      answer += data;
      const answering = /process_id:(\d+)\r/.exec(answer)?.[1];
      if (answering !== undefined) settle(answer.startsWith("+PONG") && answering === `${pid}`);
    });
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
