import { isBatched, SOURCE_BATCHES } from "../definition/source-batch.ts";
import type { Env, Timer } from "../env/env.ts";
import { ensureError, StageError } from "../errors.ts";

type Step = IteratorResult<unknown>;

/** What a source's function gave back, being iterated over: step by step, and a wait for a step can be cut short. */
export class SourceIteration {
  /** Whether a step is a batch of items with its token, not an item. */
  readonly isBatched: boolean;
  readonly #env: Env;
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>;
  #cut: (() => void) | undefined;
  #limit: Timer | undefined;

  /** Throws StageError MR_BAD_RETURN when there is nothing to iterate over. */
  constructor(env: Env, source: string, given: unknown) {
    this.#env = env;
    this.isBatched = isBatched(given);
    this.#iterator = iteratorOf(source, given);
  }

  /** The next step; a promise of it when the source is asynchronous, of undefined when the wait is {@link cut}. */
  next(): Step | Promise<Step | undefined> {
    const step = this.#iterator.next();
    return step instanceof Promise || "then" in step ? this.#wait(step as Promise<Step>) : step;
  }

  async #wait(step: Promise<Step>): Promise<Step | undefined> {
    try {
      return await new Promise<Step | undefined>((resolve, reject) => {
        this.#cut = () => resolve(undefined);
        step.then(resolve, reject);
      });
    } finally {
      this.#cut = undefined;
      this.#limit?.cancel();
      this.#limit = undefined;
    }
  }

  /** Ends a wait for the next step now; without one nothing happens. */
  cut(): void {
    this.#cut?.();
  }

  /** Ends a wait that goes on for so long from now. */
  cutAfter(ms: number): void {
    if (this.#cut === undefined) return;
    this.#limit ??= this.#env.timers.after(ms, () => this.#cut?.(), { background: true });
  }

  /**
   * Lets the source's `finally` blocks run, for at most `ms`: a generator that is waiting cannot be ended from
   * outside. What they throw goes to `onError`.
   */
  async end(ms: number, onError: (error: Error) => void): Promise<void> {
    const ending = (async () => await this.#iterator.return?.())().catch((error: unknown) => {
      onError(ensureError(error));
    });
    await Promise.race([ending, this.#env.timers.sleep(ms)]);
  }
}

function iteratorOf(source: string, given: unknown): Iterator<unknown> | AsyncIterator<unknown> {
  if (isBatched(given)) return given[SOURCE_BATCHES]();
  if (typeof given === "object" && given !== null) {
    if (Symbol.asyncIterator in given) return (given as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    if (Symbol.iterator in given) return (given as Iterable<unknown>)[Symbol.iterator]();
  }
  throw new StageError(
    "MR_BAD_RETURN",
    `source ${source}: its function gave back ${typeof given}, not something to iterate over`,
    { scope: "stage" },
  );
}
