import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { lastWill } from "./last-will.ts";

/** A real server that a test has started, on a port of 127.0.0.1 and with a folder of its own. */
export interface RunningServer {
  readonly port: number;
  /** Of the server itself, not of a shell around it. */
  readonly pid: number;
  readonly folder: string;
  /** What a client needs to reach it, password included. */
  readonly url: string;
  /** The end of what it has printed. */
  printed(): string;
  /** Ends it in good order and removes the folder when it was made for it. After `kill` it only removes. */
  stop(): Promise<void>;
  /** SIGKILL; its files stay, for `restart` or another start with this `folder` and `port`. */
  kill(): Promise<void>;
}

/** How to start one, when a port is known. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly options?: Pick<SpawnOptions, "env" | "uid" | "gid" | "cwd">;
  /** In words for an error: what did not come in time. */
  readonly awaited: string;
  /** Whether this very process answers, and not one that had the port before it. Asked again until it does. */
  isReady(pid: number, printed: string): boolean | Promise<boolean>;
}

export interface ServerProcess {
  readonly pid: number;
  printed(): string;
  /** Sends the signal and waits for the end; SIGKILL after 20 s. */
  end(signal: NodeJS.Signals): Promise<void>;
}

const START_MS = 60_000;
const STOP_MS = 20_000;
const TAKEN = /address already in use|eaddrinuse/i;

/** Starts it; on another free port when somebody took the first between the look and the start. */
export async function startServer(
  port: number | undefined,
  launchOn: (port: number) => Promise<Launch> | Launch,
): Promise<{ readonly process: ServerProcess; readonly port: number }> {
  for (let attempt = 1; ; attempt++) {
    const on = port ?? (await freePort());
    const launch = await launchOn(on);
    const started = await launchServer(launch);
    if (typeof started !== "string") return { process: started, port: on };
    if (port === undefined && attempt < 3 && TAKEN.test(started)) continue;
    throw new Error(
      `${launch.command}: did not start on port ${on}; its last words:\n${started.slice(-3_000)}`,
    );
  }
}

/** The process when it is ready, or what it printed when it ended instead. Rejects when there is no such program. */
export async function launchServer(launch: Launch): Promise<ServerProcess | string> {
  const child = spawn(launch.command, launch.args, { ...launch.options, stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const keep = (chunk: Buffer) => {
    printed = (printed + chunk).slice(-64_000);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  let failed: Error | undefined;
  child.once("error", (error) => {
    failed = error;
  });
  const process = child.pid === undefined ? undefined : serverProcess(child, child.pid, () => printed);
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; ) {
    if (failed) throw failed;
    if (child.exitCode !== null || child.signalCode !== null) return printed;
    if (process && (await launch.isReady(process.pid, printed))) return process;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await process?.end("SIGKILL");
  return `${printed}\n${launch.awaited} did not come within ${START_MS / 1000} s`;
}

function serverProcess(child: ChildProcess, pid: number, printed: () => string): ServerProcess {
  const live = lastWill({ kill: pid });
  const ended = new Promise<void>((resolve) => {
    // Not `close`: a process of its own that it leaves behind holds the pipes for a while.
    child.once("exit", () => {
      live();
      resolve();
    });
  });
  return {
    pid,
    printed,
    async end(signal) {
      child.kill(signal);
      const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(late);
    },
  };
}

/** The folder of a server: the one given, or a new one that goes when the server stops or this process ends. */
export function serverFolder(
  name: string,
  given: string | undefined,
): { readonly folder: string; remove(): void } {
  if (given !== undefined) {
    mkdirSync(given, { recursive: true });
    return { folder: given, remove: () => undefined };
  }
  const folder = mkdtempSync(join(tmpdir(), `millrace-${name}-`));
  const keep = lastWill({ remove: folder });
  return {
    folder,
    remove() {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      keep();
    },
  };
}
