import type { Env, Timer } from "../env/env.ts";
import type { StreamConnection } from "../streams/connection.ts";
import type { Failures } from "./failures.ts";
import type { Outputs } from "./outputs.ts";
import type { Transactions } from "./transactions.ts";

/** Time in which outputs may wait for company while there is more to do. */
const LINGER_MS = 5;
/** The same while calls keep the process busy without a pause: a settlement costs three processes about half a millisecond. */
const BUSY_LINGER_MS = 48;
const MAX_ITEMS = 4_096;
/** Errors and stacks of failed items: a tick full of them must not become one huge transaction. */
const MAX_FAILURE_BYTES = 4 * 1024 * 1024;
const MAX_UNCONFIRMED_BYTES = 8 * 1024 * 1024;

export interface OutboxParts {
  readonly env: Env;
  readonly outputs: Outputs;
  readonly transactions: Transactions;
  readonly failures: Failures;
  connection(): StreamConnection | undefined;
}

/** Decides when what a stage has settled, put out and failed is sent, and knows what is not confirmed. */
export class Outbox {
  readonly #parts: OutboxParts;
  /** Items in transactions that are not confirmed, by number. */
  readonly #sent = new Map<number, number>();
  #sentItems = 0;
  #linger: Timer | undefined;
  #pendingSince = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Items whose settlement may be lost with the connection. */
  get unconfirmedItems(): number {
    return this.#parts.transactions.settledItems + this.#sentItems;
  }

  /** True when nothing waits to be sent or confirmed. */
  get isEmpty(): boolean {
    const { transactions } = this.#parts;
    return transactions.settledItems === 0 && transactions.unconfirmed === 0;
  }

  /** True while so much is on its way that nothing may be added. */
  get isCrowded(): boolean {
    return this.#parts.transactions.unconfirmedBytes > MAX_UNCONFIRMED_BYTES;
  }

  /** What it has put out is on its way: how many items, how many bytes. */
  get onTheirWay(): { readonly items: number; readonly bytes: number } {
    const { transactions, outputs } = this.#parts;
    return {
      items: transactions.outputsOnTheirWay,
      bytes: transactions.unconfirmedBytes + outputs.pendingBytes,
    };
  }

  get #isFull(): boolean {
    const { outputs, transactions, failures } = this.#parts;
    return (
      outputs.hasFullFrame ||
      transactions.settledItems >= MAX_ITEMS ||
      failures.pendingBytes > MAX_FAILURE_BYTES
    );
  }

  /** Sends when a transaction's worth is together. */
  sendIfFull(): void {
    if (this.#isFull) this.send();
  }

  /** Sends at once when nobody is coming to join, else in a little while: a longer one for calls that take all the time. */
  sendSoon(isIdle: boolean, isBusy: boolean): void {
    if (this.#parts.transactions.isEmpty) return;
    const { clock, timers } = this.#parts.env;
    const now = clock.mono();
    if (this.#pendingSince === 0) this.#pendingSince = now;
    const lingerMs = isBusy ? BUSY_LINGER_MS : LINGER_MS;
    if (isIdle || this.#isFull || now - this.#pendingSince >= lingerMs) {
      this.send();
      return;
    }
    this.#linger ??= timers.after(LINGER_MS, () => {
      this.#linger = undefined;
      this.send();
    });
  }

  send(): void {
    this.stop();
    this.#pendingSince = 0;
    const { transactions, failures, outputs } = this.#parts;
    const connection = this.#parts.connection();
    if (connection === undefined || transactions.isEmpty) return;
    failures.flush();
    const items = transactions.settledItems;
    this.#sent.set(transactions.next, items);
    this.#sentItems += items;
    transactions.send(connection, outputs.take());
  }

  /** Gives the number of items that are settled for good. */
  confirmed(n: number): number {
    this.#parts.transactions.confirmed(n);
    const items = this.#sent.get(n) ?? 0;
    this.#sent.delete(n);
    this.#sentItems -= items;
    return items;
  }

  /** Drops everything: the claims that it belongs to are void. */
  clear(): void {
    this.stop();
    this.#pendingSince = 0;
    this.#sent.clear();
    this.#sentItems = 0;
    this.#parts.outputs.clear();
    this.#parts.failures.clear();
    this.#parts.transactions.clear();
  }

  stop(): void {
    this.#linger?.cancel();
    this.#linger = undefined;
  }
}
