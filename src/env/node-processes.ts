import { spawn as nodeSpawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { Parent, Processes, ProcessIdentity, SpawnOptions } from "./env.ts";
import { WATCHDOG_FD } from "./watchdog-fd.ts";

/** A line longer than this is handed on in pieces: a child that prints without end must not fill our memory. */
const MAX_LINE = 16_384;

function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  stream.on("data", (chunk: Buffer) => {
    rest += decoder.write(chunk);
    for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
      onLine(rest.slice(0, end));
      rest = rest.slice(end + 1);
    }
    while (rest.length > MAX_LINE) {
      onLine(rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
    rest = "";
  });
  stream.on("error", () => undefined);
}

/** The 22nd field of /proc/<pid>/stat; the second may hold spaces and brackets, so count from its end. */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended: nobody lives there.
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    return "";
  }
}

export const nodeProcesses: Processes = {
  spawn(options: SpawnOptions) {
    return new Promise((resolve, reject) => {
      const environment: NodeJS.ProcessEnv = { ...process.env };
      for (const [name, value] of Object.entries(options.environment ?? {})) {
        if (value === undefined) delete environment[name];
        else environment[name] = value;
      }
      const child = nodeSpawn(
        process.execPath,
        [...(options.nodeFlags ?? []), options.module, ...(options.args ?? [])],
        { stdio: ["ignore", "pipe", "pipe", "ipc", "pipe"], env: environment, serialization: "json" },
      );
      let started = false;
      if (child.stdout) readLines(child.stdout, (line) => options.onOutput?.("stdout", line));
      if (child.stderr) readLines(child.stderr, (line) => options.onOutput?.("stderr", line));
      const watchdog = child.stdio[WATCHDOG_FD];
      if (watchdog) readLines(watchdog as Readable, (line) => options.onWatchdog?.(line));
      child.on("message", (message) => options.onMessage?.(message));
      child.on("error", (error) => {
        if (!started) reject(error);
      });
      // `close` comes after `exit` and after the pipes are read: no line of a dying child is lost. A grandchild
      // that keeps the pipes open must not hide the exit, hence the grace.
      let reported = false;
      const report = (code: number | null, signal: string | null): void => {
        if (reported) return;
        reported = true;
        options.onExit({ code, signal });
      };
      child.on("close", report);
      child.on("exit", (code, signal) => {
        setTimeout(() => report(code, signal), 250).unref();
      });
      child.on("spawn", () => {
        started = true;
        resolve({
          pid: child.pid as number,
          send: (message) => {
            if (!child.connected) return false;
            child.send(message as object, () => undefined);
            return true;
          },
          kill: (signal) => {
            child.kill(signal);
          },
        });
      });
    });
  },

  parent(): Parent | undefined {
    if (process.send === undefined) return undefined;
    return {
      send: (message, onSent = () => undefined) => {
        if (process.connected) process.send?.(message, undefined, undefined, () => onSent());
        else onSent();
      },
      onMessage: (handler) => {
        process.on("message", handler);
      },
      onGone: (handler) => {
        if (!process.connected) queueMicrotask(handler);
        else process.on("disconnect", handler);
      },
    };
  },

  self(): ProcessIdentity {
    return { pid: process.pid, startTime: startTimeOf(process.pid) };
  },

  isAlive(identity) {
    try {
      process.kill(identity.pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    }
    if (process.platform !== "linux") return true;
    const startTime = startTimeOf(identity.pid);
    return startTime !== "" && (identity.startTime === "" || startTime === identity.startTime);
  },

  ignoreStopSignals() {
    process.on("SIGINT", () => undefined);
    process.on("SIGTERM", () => undefined);
  },

  exit(code) {
    process.exit(code);
  },
};
