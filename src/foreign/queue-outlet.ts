import type { Logger } from "../definition/logger.ts";
import type { Env } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import { beyondHelp } from "./codec.ts";
import type { ForeignSide, ForeignWriter, OutgoingMessage } from "./foreign-driver.ts";
import { isPassing, SteadyLink } from "./steady-link.ts";

export interface QueueOutletOptions {
  readonly env: Env;
  readonly log: Logger;
  readonly side: ForeignSide<ForeignWriter>;
}

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 5_000;
/** A queue that others empty slowly refuses and takes in turn: it is full until it has refused nothing for so long. */
const ROOM_MS = 10_000;

/** Sends messages to a foreign queue, each for as long as it takes. */
export class QueueOutlet {
  readonly #options: QueueOutletOptions;
  readonly #link: SteadyLink<ForeignWriter>;
  #isFull = false;
  #refusedAt = 0;

  constructor(options: QueueOutletOptions) {
    this.#options = options;
    this.#link = new SteadyLink(options);
  }

  async open(): Promise<void> {
    await this.#link.open();
    const { log, side } = this.#options;
    log.info({ to: this.#link.link?.server ?? side.address }, "writes to a queue");
  }

  /** Resolves when the broker has confirmed it; rejects with what another attempt would not mend, or when `signal` aborts. */
  async send(message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    const { env } = this.#options;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2)) {
      const link = this.#link.link ?? (await this.#link.whenUp(signal));
      const { length } = message.body;
      if (length > link.maxBodyBytes) {
        throw beyondHelp(
          "MR_ITEM_TOO_LARGE",
          `${link.server}: a message of ${length} bytes is larger than the ${link.maxBodyBytes} that it takes; send less, or a reference to it`,
        );
      }
      try {
        await link.send(message);
        this.#roomAgain();
        return;
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.#fret(error);
        // n.b. also where the connection is gone: we may hear of that before its end is told.
        await env.timers.sleep(waitMs * (0.5 + env.random.float() / 2), signal);
      }
    }
  }

  #fret(error: unknown): void {
    const { code, message } = ensureError(error) as Error & { code?: string };
    if (code !== "MR_ENGINE_FULL") return;
    this.#refusedAt = this.#options.env.clock.mono();
    if (this.#isFull) return;
    this.#isFull = true;
    this.#options.log.warn({ problem: message }, "the broker takes no more; items wait");
  }

  #roomAgain(): void {
    if (!this.#isFull || this.#options.env.clock.mono() - this.#refusedAt < ROOM_MS) return;
    this.#isFull = false;
    this.#options.log.info("the broker takes messages again");
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}
