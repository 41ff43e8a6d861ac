import { importBundle } from "../bundle/import-bundle.ts";
import { nodeEnv } from "../env/node.ts";
import { startWatchdog } from "../env/watchdog.ts";
import { errorInfo } from "../errors.ts";
import { BlobFolder } from "../streams/blob-folder.ts";
import { useBlobStore } from "../wire/stored-blob.ts";
import { Instance } from "./instance.ts";
import type { FromInstance, InstanceStart, ToInstance } from "./messages.ts";
import { newWatchState, tickMs, WATCH } from "./watch-state.ts";

/** The program of an instance: one process, one stage of one run; started and watched by an agent. */
async function main(): Promise<void> {
  const env = nodeEnv;
  const parent = env.processes.parent();
  if (parent === undefined) throw new Error("instance: it is started by an agent, not by hand");
  const report = (message: FromInstance): void => parent.send(message);
  // The user's module is told where it is: run() must not start a run inside an instance.
  (globalThis as Record<symbol, unknown>)[Symbol.for("millrace.role")] = "instance";
  parent.onGone(() => env.processes.exit(1));
  env.processes.ignoreStopSignals();

  const watch = newWatchState();
  let instance: Instance | undefined;
  let drainReason: (ToInstance & { kind: "drain" }) | undefined;

  const end = async (cause: "drained" | "source-done"): Promise<void> => {
    await instance?.end();
    parent.send({ kind: "ended", cause } satisfies FromInstance, () => env.processes.exit(0));
  };

  const fail = async (): Promise<void> => {
    await instance?.end();
    // n.b. what was reported before must be out before the process is.
    parent.send({ kind: "log", level: "debug", message: "instance ends" } satisfies FromInstance, () =>
      env.processes.exit(1),
    );
  };

  const drain = (message: ToInstance & { kind: "drain" }): void => {
    drainReason = message;
    if (instance === undefined) return;
    env.timers.after(message.graceMs, () => instance?.abort(), { background: true });
    const drained = instance.drain(message.reason);
    if (start?.role !== "source") void drained.then(() => end("drained"));
  };

  let isPaused = false;
  let start: InstanceStart | undefined;

  const begin = async (message: InstanceStart): Promise<void> => {
    start = message;
    try {
      await startWatchdog(watch, WATCH, message.memoryBytes);
      env.timers.every(tickMs(message.limitMs), () => {
        watch[WATCH.ticks] = (watch[WATCH.ticks] as number) + 1;
      });
      useBlobStore(new BlobFolder(env, message.blobs));
      const definition = await importBundle(message.bundle.path, message.bundle.exportName);
      instance = new Instance({
        env,
        definition,
        run: message.run,
        stage: message.stage,
        instance: message.instance,
        role: message.role,
        params: message.params,
        bundle: message.bundle.hash,
        secret: message.secret,
        ...(message.input && { input: message.input }),
        watch,
        connect: () => env.net.connect(message.socket),
        report,
      });
      if (!(await instance.start())) {
        await fail();
        return;
      }
    } catch (error) {
      report({ kind: "setup-failed", error: errorInfo(error) });
      await fail();
      return;
    }
    if (isPaused) instance.pause(true);
    if (drainReason !== undefined) drain(drainReason);
    if (message.role !== "source") return;
    const outcome = await instance.runSource();
    if (outcome === "failed") await fail();
    else await end(outcome);
  };

  process.on("uncaughtExceptionMonitor", (error) => report({ kind: "trouble", error: errorInfo(error) }));
  parent.onMessage((message) => {
    const told = message as ToInstance;
    if (told.kind === "start") void begin(told.start);
    else if (told.kind === "drain") drain(told);
    else {
      isPaused = told.paused;
      instance?.pause(isPaused);
    }
  });
}

await main();
