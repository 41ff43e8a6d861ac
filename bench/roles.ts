import { type ChildProcess, fork } from "node:child_process";
import { compiled } from "./compiled.ts";

export interface Role {
  /** The function that the process runs. */
  readonly role: string;
  /** What it is called by; default: as the role. */
  readonly name?: string;
  readonly args: readonly (string | number)[];
}

/** Started roles: processes that are ready and wait. */
export interface Roles {
  /** Sets one to work; resolves to its report. */
  go(name: string): Promise<unknown>;
  pidOf(name: string): number;
  /** Ends them in good order. */
  close(): Promise<void>;
}

/**
 * Starts processes of one compiled module, a process a role, in the order given, each when the one before is ready.
 * The module calls `playRole`.
 */
export async function startRoles(module: string, roles: readonly Role[]): Promise<Roles> {
  const children = new Map<string, ChildProcess>();
  const killAll = (): void => {
    for (const child of children.values()) child.kill("SIGKILL");
  };
  process.once("exit", killAll);
  try {
    for (const { role, name = role, args } of roles) {
      const child = fork(compiled(module), [role, ...args.map(String)]);
      children.set(name, child);
      await told(child, "ready", name);
    }
  } catch (error) {
    killAll();
    throw error;
  }
  const childOf = (name: string): ChildProcess => children.get(name) as ChildProcess;
  return {
    async go(name) {
      const report = told(childOf(name), "report", name);
      childOf(name).send("go");
      return await report;
    },
    pidOf: (name) => childOf(name).pid as number,
    async close() {
      for (const child of [...children.values()].reverse()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.send("close");
        await ended;
      }
      process.off("exit", killAll);
    },
  };
}

function told(child: ChildProcess, what: "ready" | "report", name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
    const onMessage = (message: unknown): void => {
      if (typeof message !== "object" || message === null || !(what in message)) return;
      end();
      resolve((message as Record<string, unknown>)[what]);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      end();
      reject(new Error(`${name}: ended early (${code ?? signal})`));
    };
    child.on("message", onMessage);
    child.once("exit", onExit);
  });
}
