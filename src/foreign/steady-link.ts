import type { Logger } from "../definition/logger.ts";
import type { Env } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import type { ForeignLink, ForeignMessage, ForeignSide } from "./foreign-driver.ts";

const CONNECT_MS = 10_000;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 5_000;

export interface SteadyLinkOptions<Link extends ForeignLink> {
  readonly env: Env;
  readonly log: Logger;
  readonly side: ForeignSide<Link>;
  onMessage?(message: ForeignMessage): void;
  /** There is a connection, the first or another one. */
  onUp?(link: Link): void;
}

/** Whether an error of a broker passes by itself. */
export function isPassing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "MR_ENGINE_UNREACHABLE" || code === "MR_ENGINE_FULL";
}

/** A connection to a foreign broker that comes back for as long as it takes, with one line in the log each way. */
export class SteadyLink<Link extends ForeignLink> {
  readonly #options: SteadyLinkOptions<Link>;
  #link: Link | undefined;
  #isClosed = false;
  /** What was said last, so that it is said once. */
  #trouble: string | undefined;
  readonly #closing = new AbortController();
  #waiting: (() => void)[] = [];

  constructor(options: SteadyLinkOptions<Link>) {
    this.#options = options;
  }

  /** One attempt; when nobody answers it goes on trying by itself. Rejects with what a person must mend. */
  async open(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      if (!isPassing(error)) throw error;
      this.#fret(error);
      void this.#reconnect();
    }
  }

  async #connect(): Promise<void> {
    const { side, onMessage, onUp } = this.#options;
    let link: Link | undefined;
    let early: Error | undefined;
    const lost = (problem: Error): void => {
      early ??= problem;
      if (link === undefined || this.#link !== link) return;
      this.#link = undefined;
      if (this.#isClosed) return;
      this.#fret(problem);
      void this.#reconnect();
    };
    const notice = (text: string): void => this.#options.log.warn(text);
    link = await side.connect({ lost, notice, message: (message) => onMessage?.(message) }, CONNECT_MS);
    if (this.#isClosed) {
      await link.close();
      return;
    }
    if (early !== undefined) throw early;
    this.#link = link;
    if (this.#trouble !== undefined) this.#options.log.info({ server: link.server }, "the broker is back");
    this.#trouble = undefined;
    onUp?.(link);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** n.b. with the number of the last words only: a broker that is away says the same all the time. */
  #fret(error: unknown): void {
    const { message } = ensureError(error);
    if (this.#trouble === undefined)
      this.#options.log.warn({ problem: message }, `${this.#options.side.address} is away; waits for it`);
    else if (!isPassing(error) && this.#trouble !== message)
      this.#options.log.error({ problem: message }, `${this.#options.side.address} refuses us; tries again`);
    this.#trouble = message;
  }

  async #reconnect(): Promise<void> {
    const { env } = this.#options;
    for (let waitMs = FIRST_WAIT_MS; !this.#isClosed; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
      await env.timers
        .sleep(waitMs * (0.5 + env.random.float() / 2), this.#closing.signal)
        .catch(() => undefined);
      if (this.#isClosed) return;
      try {
        await this.#connect();
        return;
      } catch (error) {
        this.#fret(error);
      }
    }
  }

  get link(): Link | undefined {
    return this.#link;
  }

  /** Resolves when there is a connection; rejects when `signal` aborts. */
  async whenUp(signal: AbortSignal): Promise<Link> {
    while (this.#link === undefined) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        signal.addEventListener("abort", wake, { once: true });
        this.#waiting.push(wake);
      });
    }
    return this.#link;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }
}
