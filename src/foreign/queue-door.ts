import type { InputPort } from "../definition/input-port.ts";
import type { Logger } from "../definition/logger.ts";
import type { Env, Timer } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import { headerBytes } from "../wire/frame-builder.ts";
import { PROBLEM } from "./codec.ts";
import type { ForeignMessage, ForeignReader, ForeignSide } from "./foreign-driver.ts";
import { SteadyLink } from "./steady-link.ts";

export interface QueueDoorOptions {
  readonly env: Env;
  readonly port: InputPort;
  readonly log: Logger;
  readonly side: ForeignSide<ForeignReader>;
  readonly endsWhenEmpty: boolean;
}

/** What stands in the way of storing a message for a while only. */
const PASSING = ["MR_BACKPRESSURE", "MR_DISK_LOW", "MR_DISK_FULL", "MR_STREAM_CLOSED"];
/** They travel with each item. */
const MAX_HEADER_BYTES = 192 * 1024;
const CLOSED = "MR_NOT_PUSHABLE";
const AGAIN_MS = 1_000;
const LOOK_MS = 200;
/** How long the end waits for messages that are on their way to the disk. */
const MAX_CLOSING_MS = 3_000;
/** Messages whose acknowledgement a lost connection may have swallowed: so many are remembered. */
const REMEMBERED = 10_000;

/**
 * Takes messages from a foreign queue into its source.
 *
 * Q1 A message is acknowledged when its item is durable, and never otherwise.
 * Q2 One that is handed out again after a lost connection, and is in hand or durable already, is only acknowledged.
 */
export class QueueDoor {
  readonly #options: QueueDoorOptions;
  readonly #link: SteadyLink<ForeignReader>;
  /** By the broker's own names, or symbols where it has none. */
  readonly #inHand = new Map<string | symbol, ForeignMessage>();
  readonly #durable = new Set<string>();
  /** Messages that cannot be stored: they stay with the broker. */
  #stuck = 0;
  #look: Timer | undefined;
  #isClosed = false;

  constructor(options: QueueDoorOptions) {
    this.#options = options;
    const { env, log, side } = options;
    this.#link = new SteadyLink({
      env,
      log,
      side,
      onMessage: (message) => this.#take(message),
      onUp: () => this.#lookSoon(),
    });
  }

  async open(): Promise<void> {
    await this.#link.open();
    const { log, side } = this.#options;
    log.info({ from: this.#link.link?.server ?? side.address }, "reads a queue");
  }

  #take(message: ForeignMessage): void {
    const { id } = message;
    if (id !== undefined && this.#durable.has(id)) {
      message.ack();
      return;
    }
    const name = id ?? Symbol();
    const isNew = !this.#inHand.has(name);
    if (isNew && this.#isClosed) return;
    // Handed out again: the new connection is the one to acknowledge it on.
    this.#inHand.set(name, message);
    if (!isNew) return;
    if (headerBytes(message.headers) > MAX_HEADER_BYTES)
      this.#keep(name, new Error(`its headers may take more than ${MAX_HEADER_BYTES} bytes`));
    else void this.#store(name, message);
  }

  async #store(name: string | symbol, { body, headers, problem }: ForeignMessage): Promise<void> {
    const { port, env } = this.#options;
    const all = problem === undefined ? headers : { ...headers, [PROBLEM]: problem };
    const said = Object.keys(all).length === 0 ? undefined : { headers: all };
    for (;;) {
      try {
        await port.push([body], said);
        break;
      } catch (error) {
        if (codeOf(error) === CLOSED) {
          this.#inHand.delete(name);
          this.#end();
          return;
        }
        if (!PASSING.includes(codeOf(error))) {
          this.#keep(name, error);
          return;
        }
        await env.timers.sleep(AGAIN_MS * (0.5 + env.random.float()));
        if (this.#isClosed) return;
      }
    }
    const message = this.#inHand.get(name);
    this.#inHand.delete(name);
    if (typeof name === "string") this.#remember(name);
    message?.ack();
    if (this.#inHand.size <= this.#stuck) this.#lookSoon();
  }

  /** Somebody has closed the source, perhaps before this process began: what comes stays with the broker. */
  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.log.info("the source is closed: no more messages are taken");
    void this.close().catch(() => undefined);
  }

  /** It stays where it is, in the broker's hands and not acknowledged: nothing is lost by what we cannot store. */
  #keep(name: string | symbol, error: unknown): void {
    if (this.#isClosed) return;
    this.#stuck++;
    this.#options.log.error(
      { ...(typeof name === "string" && { message: name }), problem: ensureError(error).message },
      "a message cannot be stored; it stays in its queue, not acknowledged",
    );
  }

  #remember(id: string): void {
    this.#durable.add(id);
    if (this.#durable.size <= REMEMBERED) return;
    const [oldest] = this.#durable;
    this.#durable.delete(oldest as string);
  }

  /** Looks, a moment later, whether there is nothing more to come. */
  #lookSoon(): void {
    if (!this.#options.endsWhenEmpty || this.#isClosed) return;
    this.#look ??= this.#options.env.timers.after(LOOK_MS, () => {
      this.#look = undefined;
      void this.#endIfEmpty();
    });
  }

  async #endIfEmpty(): Promise<void> {
    const { link } = this.#link;
    const { port, log } = this.#options;
    try {
      // n.b. what cannot be stored would keep the source from its end for ever.
      const isIdle = (): boolean => this.#inHand.size <= this.#stuck;
      if (isIdle() && link !== undefined && (await link.isEmpty(this.#stuck)) && isIdle()) {
        link.pause();
        this.#isClosed = true;
        await port.close();
        return;
      }
    } catch (error) {
      this.#isClosed = false;
      log.debug({ problem: ensureError(error).message }, "could not see whether the queue is empty");
    }
    this.#lookSoon();
  }

  /** No more messages; those on their way to the disk are waited for, for a moment. */
  async close(): Promise<void> {
    const { env } = this.#options;
    this.#look?.cancel();
    this.#link.link?.pause();
    const until = env.clock.mono() + MAX_CLOSING_MS;
    while (this.#inHand.size > this.#stuck && env.clock.mono() < until) await env.timers.sleep(10);
    this.#isClosed = true;
    await this.#link.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
