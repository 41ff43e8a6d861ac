import { availableParallelism, totalmem, userInfo } from "node:os";
import { crypto } from "./crypto.ts";
import type { Env, Timers } from "./env.ts";
import { nodeDisk } from "./node-disk.ts";
import { nodeNet } from "./node-net.ts";
import { nodeProcesses } from "./node-processes.ts";

const timers: Timers = {
  after(ms, fire, options) {
    const timer = setTimeout(fire, ms);
    if (options?.background) timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, fire, options) {
    const timer = setInterval(fire, ms);
    if (options?.background) timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
  soon(fire) {
    setImmediate(fire);
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/** The real world. */
export const nodeEnv: Env = {
  clock: { now: () => Date.now(), mono: () => performance.now() },
  random: { float: () => Math.random(), bytes: (length) => crypto().randomBytes(length) },
  timers,
  disk: nodeDisk,
  net: nodeNet,
  processes: nodeProcesses,
  host: {
    get cores() {
      return availableParallelism();
    },
    get memoryBytes() {
      return totalmem();
    },
    get user() {
      try {
        return userInfo().username;
      } catch {
        return String(process.getuid?.() ?? "unknown");
      }
    },
    platform: process.platform,
    nodeVersion: process.versions.node,
    variable: (name) => process.env[name] || undefined,
  },
};
