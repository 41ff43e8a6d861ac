import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { ensureError, RunError } from "../errors.ts";
import { isThenable } from "./call-results.ts";
import { WATCH, WATCH_STATE } from "./watch-state.ts";

/** Calls the user's functions of a job's combine: watched, limited in time, and with an error that says which one. */
export class CombineCalls {
  readonly #env: Env;
  readonly #node: NodeDefinition;
  readonly #job: string;
  readonly #watch: Float64Array;

  constructor(env: Env, node: NodeDefinition, job: string, watch: Float64Array) {
    this.#env = env;
    this.#node = node;
    this.#job = job;
    this.#watch = watch;
  }

  /** From here on the user's code is running. */
  enter(): void {
    const watch = this.#watch;
    watch[WATCH.frame] = -1;
    watch[WATCH.place] = -1;
    watch[WATCH.sequence] = (watch[WATCH.sequence] as number) + 1;
    watch[WATCH.state] = WATCH_STATE.inCall;
  }

  leave(): void {
    this.#watch[WATCH.state] = WATCH_STATE.outside;
  }

  /** Makes one call; `what` names it in an error. Throws RunError MR_COMBINE_FAILED. */
  async call(what: string, run: () => unknown): Promise<unknown> {
    let given: unknown;
    this.enter();
    try {
      given = run();
    } catch (error) {
      throw this.failure(what, error);
    } finally {
      this.leave();
    }
    return isThenable(given) ? await this.settled(what, given) : given;
  }

  /** Waits for what a call has promised. Throws RunError MR_COMBINE_FAILED. */
  async settled(what: string, promise: PromiseLike<unknown>): Promise<unknown> {
    const { timeoutMs } = this.#node.settings;
    const over = new AbortController();
    const limit = this.#env.timers.sleep(timeoutMs, over.signal).then(
      () => {
        throw new Error(`it did not settle within timeoutMs ${timeoutMs} ms`);
      },
      () => undefined,
    );
    try {
      return await Promise.race([promise, limit]);
    } catch (error) {
      throw this.failure(what, error);
    } finally {
      over.abort();
    }
  }

  failure(what: string, thrown: unknown): RunError {
    const error = ensureError(thrown);
    const failed = new RunError(
      "MR_COMBINE_FAILED",
      `job ${this.#job}: ${what}: ${error.name}: ${error.message}; the results are kept, fix it and run the same command again`,
      { scope: "run", cause: error },
    );
    failed.stack = error.stack ?? failed.stack ?? "";
    return failed;
  }
}
