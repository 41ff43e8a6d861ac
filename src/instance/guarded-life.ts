import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { ensureError, MillraceError, StageError } from "../errors.ts";
import { WATCH, WATCH_STATE } from "./watch-state.ts";

/** Runs one of the user's functions outside a call, within the time of a call. Throws StageError MR_SETUP_FAILED. */
export async function runGuarded(
  env: Env,
  watch: Float64Array,
  node: NodeDefinition,
  what: "setup" | "teardown",
  run: () => unknown,
): Promise<unknown> {
  const { timeoutMs } = node.settings;
  watch[WATCH.sequence] = (watch[WATCH.sequence] as number) + 1;
  watch[WATCH.state] = WATCH_STATE.inCall;
  const abort = new AbortController();
  try {
    const limit = env.timers.sleep(timeoutMs, abort.signal).then(
      () => {
        throw new StageError(
          "MR_SETUP_FAILED",
          `stage ${node.name}: its ${what} did not settle within timeoutMs ${timeoutMs} ms`,
        );
      },
      () => undefined,
    );
    const result = run();
    watch[WATCH.state] = WATCH_STATE.outside;
    return await Promise.race([result, limit]);
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    const cause = ensureError(error);
    const wrapped = new StageError(
      "MR_SETUP_FAILED",
      `stage ${node.name}: its ${what} threw ${cause.name}: ${cause.message}`,
      { cause, scope: "instance" },
    );
    wrapped.stack = cause.stack ?? wrapped.stack ?? "";
    throw wrapped;
  } finally {
    abort.abort();
    watch[WATCH.state] = WATCH_STATE.outside;
  }
}
