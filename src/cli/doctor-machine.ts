import { join } from "node:path";
import { entryPath } from "../env/entry.ts";
import type { Env } from "../env/env.ts";
import { openRuntimeDirectory } from "../run/runtime-directory.ts";
import { type Check, fail, failing, ok, warn } from "./doctor-check.ts";
import type { DoctorChildMessage } from "./doctor-child.ts";

const MB = 1024 * 1024;
/** A run needs its three processes, an instance a stage, and what user code takes. */
const AMPLE_BYTES = 1024 * MB;
/** Within this an instance whose agent is gone must have ended; it looks five times a second. */
const ORPHAN_MS = 3_000;
const START_MS = 10_000;

/** What millrace needs of the machine, data directory aside. */
export async function checkMachine(env: Env): Promise<Check[]> {
  return [
    checkNode(env.host.nodeVersion),
    checkMemory(env, process.constrainedMemory()),
    await checkSockets(env),
    await checkProcesses(env),
    await checkCompiler(),
  ];
}

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    return fail("node", `Node ${version} is too old`, "install Node 24");
  if (major === 20)
    return warn(
      "node",
      `Node ${version} works, but Node 20 has had no security fixes since April 2026`,
      "install Node 24",
    );
  if (major % 2 === 1) return warn("node", `Node ${version} is not a long-term release`, "install Node 24");
  return ok("node", `Node ${version}`);
}

/** `limit`: what a container allows, 0 or undefined when nothing does. */
export function checkMemory({ host }: Env, limit: number | undefined): Check {
  const bytes = limit === undefined || limit <= 0 ? host.memoryBytes : Math.min(limit, host.memoryBytes);
  const detail = `${Math.round(bytes / MB).toLocaleString("en-US")} MB of memory, ${host.cores} ${host.cores === 1 ? "core" : "cores"}`;
  if (bytes < AMPLE_BYTES)
    return warn("memory", detail, "give it 1 GB or more, or run few instances: --instances stage=1");
  return ok("memory", detail);
}

async function checkSockets(env: Env): Promise<Check> {
  const { platform } = env.host;
  const fix = `let ${env.disk.temporaryDirectory()} be written to, or set XDG_RUNTIME_DIR or TMPDIR to a folder on this machine's own disk`;
  return await failing("sockets", fix, async () => {
    const directory = await openRuntimeDirectory(env);
    try {
      const path = join(directory, "doctor");
      const server = await env.net.listen(path, (socket) =>
        socket.handle({ onData: (chunk) => socket.write([chunk]), onClose: () => undefined }),
      );
      try {
        const socket = await env.net.connect(path);
        const answer = await new Promise<string>((resolve, reject) => {
          const late = env.timers.after(START_MS, () => reject(new Error(`no answer over ${path}`)));
          socket.handle({
            onData: (chunk) => {
              late.cancel();
              resolve(chunk.toString("utf8"));
            },
            onClose: (error) => reject(error ?? new Error(`${path} was closed`)),
          });
          socket.write([Buffer.from("echo")]);
        });
        socket.destroy();
        return answer === "echo"
          ? ok("sockets", `processes can talk (${platform}, ${directory})`)
          : fail("sockets", `${path} answered ${JSON.stringify(answer)}`, fix);
      } finally {
        await server.close();
      }
    } finally {
      await env.disk.remove(directory);
    }
  });
}

/** Kills a stand-in for an agent and sees whether its instance, in an endless call, ends by itself. */
async function checkProcesses(env: Env): Promise<Check> {
  const fix =
    "let Node start processes and threads: look at limits (ulimit -u) and at what restricts the container";
  return await failing("processes", fix, async () => {
    const { processes, clock, timers } = env;
    let onBlocked: (pid: number) => void = () => undefined;
    const output: string[] = [];
    const blocked = new Promise<number>((resolve, reject) => {
      const late = timers.after(START_MS, () =>
        reject(new Error(`no process with a thread within ${START_MS} ms`)),
      );
      onBlocked = (pid) => {
        late.cancel();
        resolve(pid);
      };
    });
    blocked.catch(() => undefined);
    const agent = await processes.spawn({
      module: entryPath("cli/doctor-child.js"),
      onOutput: (_stream, line) => output.push(line),
      onMessage: (message) => onBlocked((message as DoctorChildMessage).pid),
      onExit: () => undefined,
    });
    let pid: number;
    try {
      pid = await blocked;
    } catch (error) {
      throw new Error([String((error as Error).message), ...output.slice(-3)].join(": "));
    } finally {
      agent.kill("SIGKILL");
    }
    const killedAt = clock.mono();
    while (processes.isAlive({ pid, startTime: "" })) {
      if (clock.mono() - killedAt > ORPHAN_MS) {
        return fail(
          "processes",
          `process ${pid} outlived the one that started it`,
          "report it, with the system and what restricts processes on it",
        );
      }
      await timers.sleep(10);
    }
    return ok(
      "processes",
      `an instance in an endless call ends ${Math.round(clock.mono() - killedAt)} ms after its agent was killed`,
    );
  });
}

async function checkCompiler(): Promise<Check> {
  const fix = "install millrace again on this machine: esbuild comes as a program for one system (npm ci)";
  return await failing("compiler", fix, async () => {
    const esbuild = await import("esbuild");
    try {
      const { code } = await esbuild.transform("const n: number = 1; export default n;", { loader: "ts" });
      if (code.includes(": number")) return fail("compiler", "esbuild left types in what it compiled", fix);
      return ok("compiler", `esbuild ${esbuild.version} compiles TypeScript`);
    } finally {
      await esbuild.stop();
    }
  });
}
