import { entryPath } from "../env/entry.ts";
import { nodeEnv } from "../env/node.ts";
import { startWatchdog } from "../env/watchdog.ts";
import { newWatchState, WATCH, WATCH_STATE } from "../instance/watch-state.ts";

/** What a child of `millrace doctor` says. */
export type DoctorChildMessage = { readonly kind: "blocked"; readonly pid: number };

/**
 * Shows that an instance ends with its agent, however busy it is. Stands for the agent, with the argument
 * `blocked` for an instance whose main thread will never turn again. The stand-in for the agent says which process
 * is blocked, waits, and is killed.
 */
async function main(): Promise<void> {
  const { processes } = nodeEnv;
  const parent = processes.parent();
  if (parent === undefined) throw new Error("doctor child: it is started by `millrace doctor`, not by hand");
  if (process.argv[2] === "blocked") {
    const state = newWatchState();
    state[WATCH.state] = WATCH_STATE.inCall;
    await startWatchdog(state, WATCH, Number.POSITIVE_INFINITY);
    parent.send({ kind: "blocked", pid: process.pid } satisfies DoctorChildMessage, () => {
      // n.b. a bound, should the watchdog not do what is expected of it: nothing is to be left behind.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
      processes.exit(1);
    });
    return;
  }
  parent.onGone(() => processes.exit(1));
  await processes.spawn({
    module: entryPath("cli/doctor-child.js"),
    args: ["blocked"],
    onMessage: (message) => parent.send(message),
    onExit: () => processes.exit(1),
  });
}

await main();
