import type { Timers } from "../env/env.ts";
import { ensureError } from "../errors.ts";

export interface MailboxOptions {
  /** Gets what the handler throws; the items behind the one that failed are still handled. */
  readonly onError: (error: Error) => void;
  /** Most items that may wait; {@link Mailbox.push} answers false above it. Unlimited by default. */
  readonly limit?: number;
}

/**
 * One reader's queue: items reach the handler one at a time and in order, never from within `push`, so that
 * neither a handler that pushes nor one that throws disturbs whoever sent the item. A handler that returns a
 * promise gets its next item when that promise has settled.
 */
export class Mailbox<T> {
  readonly #timers: Timers;
  readonly #handle: (item: T) => unknown;
  readonly #options: MailboxOptions;
  #waiting: T[] = [];
  #next = 0;
  #busy = false;
  #closed = false;

  constructor(timers: Timers, handle: (item: T) => unknown, options: MailboxOptions) {
    this.#timers = timers;
    this.#handle = handle;
    this.#options = options;
  }

  /** Queues an item; false when the mailbox is full or closed and the item was not taken. */
  push(item: T): boolean {
    if (this.#closed) return false;
    if (this.#waiting.length - this.#next >= (this.#options.limit ?? Number.POSITIVE_INFINITY)) return false;
    this.#waiting.push(item);
    this.#schedule();
    return true;
  }

  /** Hands over nothing more; returns the items that were still waiting. */
  close(): T[] {
    this.#closed = true;
    const rest = this.#waiting.slice(this.#next);
    this.#waiting = [];
    this.#next = 0;
    return rest;
  }

  #schedule(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#timers.soon(() => void this.#turn());
  }

  async #turn(): Promise<void> {
    // What is pushed meanwhile waits for the next turn: two handlers that answer each other must not starve I/O.
    const end = this.#waiting.length;
    while (!this.#closed && this.#next < end) {
      const item = this.#waiting[this.#next++] as T;
      try {
        const result = this.#handle(item);
        if (isThenable(result)) await result;
      } catch (thrown) {
        this.#options.onError(ensureError(thrown));
      }
    }
    this.#busy = false;
    if (this.#closed) return;
    this.#waiting.splice(0, this.#next);
    this.#next = 0;
    if (this.#waiting.length > 0) this.#schedule();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
