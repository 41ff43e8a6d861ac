import type { StreamConnection } from "../streams/connection.ts";
import type { CountDelta, FailedAttempts, Outcome } from "../streams/contract.ts";
import { streamOf } from "../streams/lanes.ts";
import { MESSAGE, type TransactHead } from "../streams/protocol.ts";
import { bytesOf } from "../wire/bytes-of.ts";
import { packValue } from "../wire/packing.ts";
import type { ReadyFrame } from "./open-frames.ts";

export interface RecordAppend {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export interface RetryFrame {
  readonly bytes: Buffer;
  readonly count: number;
  readonly delayMs: number;
  /** That of the items' first placement: they stay in it. */
  readonly lane: number;
}

/** An attempt of an item that keeps its place has failed; see TransactHead. */
export interface FailedAttempt extends FailedAttempts {
  readonly frame: number;
  readonly place: number;
  readonly isHandedBack: boolean;
}

interface Unconfirmed {
  readonly head: TransactHead;
  readonly blobs: readonly Uint8Array[];
  readonly bytes: number;
  /** Outputs. */
  readonly items: number;
}

/**
 * Gathers what belongs together - settlements, outputs, retries, dead letters, counts - and sends it as one
 * transaction; remembers what is not confirmed.
 */
export class Transactions {
  readonly #stage: string;
  #settle: [number, number, number, Outcome][] = [];
  #settledItems = 0;
  #retries: RetryFrame[] = [];
  /** By item: an attempt that fails soon after another one takes its place, and so does its settlement. */
  readonly #attempts = new Map<string, FailedAttempt>();
  #records: RecordAppend[] = [];
  readonly #counts = new Map<string, number>();
  #emitted = 0;
  readonly #blobs = new Map<string, number>();
  readonly #unconfirmed = new Map<number, Unconfirmed>();
  #unconfirmedBytes = 0;
  #unconfirmedItems = 0;
  #number = 0;

  constructor(stage: string) {
    this.#stage = stage;
  }

  /** Settles an item, or `count` of them from `place` on. */
  settle(frame: number, place: number, outcome: Outcome, count = 1): void {
    this.#settledItems += count;
    if (this.#attempts.size > 0) this.#attempts.delete(`${frame}/${place}`);
    const last = this.#settle[this.#settle.length - 1];
    if (last !== undefined && last[0] === frame && last[2] === place && last[3] === outcome)
      last[2] = place + count;
    else this.#settle.push([frame, place, place + count, outcome]);
  }

  retry(frame: RetryFrame): void {
    this.#retries.push(frame);
  }

  /** n.b. one that is handed back leaves this instance, as a settled one does. */
  attempt(failed: FailedAttempt): void {
    this.#attempts.set(`${failed.frame}/${failed.place}`, failed);
    if (failed.isHandedBack) this.#settledItems++;
  }

  record(write: RecordAppend): void {
    this.#records.push(write);
  }

  /** One delivery more (1) or fewer (-1) refers to these blobs. */
  refer(blobs: readonly string[], by: 1 | -1): void {
    for (const blob of blobs) this.#blobs.set(blob, (this.#blobs.get(blob) ?? 0) + by);
  }

  /** Outputs more; a counter of its own, since there is one for every item. */
  emit(items: number): void {
    this.#emitted += items;
  }

  count(counter: string, by: number): void {
    this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + by);
  }

  /** Items settled and not sent. */
  get settledItems(): number {
    return this.#settledItems;
  }

  get isEmpty(): boolean {
    return (
      this.#settle.length === 0 &&
      this.#attempts.size === 0 &&
      this.#records.length === 0 &&
      this.#counts.size === 0 &&
      this.#emitted === 0
    );
  }

  get unconfirmed(): number {
    return this.#unconfirmed.size;
  }

  get unconfirmedBytes(): number {
    return this.#unconfirmedBytes;
  }

  /** Outputs that are not known to be stored; an edge more counts them once more when they are sent. */
  get outputsOnTheirWay(): number {
    return this.#unconfirmedItems + this.#emitted;
  }

  /** Number of the next transaction. */
  get next(): number {
    return this.#number + 1;
  }

  continueAfter(number: number): void {
    this.#number = Math.max(this.#number, number);
  }

  /** Sends all that was gathered, with these frames, as one transaction; without a connection it is only kept. */
  send(connection: StreamConnection | undefined, frames: readonly ReadyFrame[]): void {
    const n = ++this.#number;
    const append: [string, number, number, boolean][] = [];
    const blobs: Uint8Array[] = [];
    let items = 0;
    for (const frame of frames) {
      items += frame.count;
      append.push([frame.stream, frame.count, 0, true]);
      blobs.push(frame.bytes);
      if (frame.blobs !== undefined) this.refer(frame.blobs, 1);
    }
    for (const retry of this.#retries) {
      append.push([streamOf(this.#stage, retry.lane), retry.count, retry.delayMs, false]);
      blobs.push(retry.bytes);
    }
    const records = this.#records.map(({ key, value }) => {
      if (value !== undefined) blobs.push(value);
      return [key, value !== undefined] as const;
    });
    const attempts = [...this.#attempts.values()].map(({ frame, place, delayMs, isHandedBack, history }) => {
      blobs.push(packValue(history));
      return [frame, place, delayMs, isHandedBack] as const;
    });
    if (this.#emitted > 0) this.count("emitted", this.#emitted);
    const counts: CountDelta[] = [...this.#counts].map(([counter, by]) => [this.#stage, counter, by]);
    const head: TransactHead = {
      n,
      settle: this.#settle,
      append,
      records,
      counts,
      ...(attempts.length > 0 ? { attempts } : {}),
      ...(this.#blobs.size > 0 ? { blobs: [...this.#blobs] } : {}),
    };
    const bytes = 256 + bytesOf(blobs);
    this.#unconfirmed.set(n, { head, blobs, bytes, items });
    this.#unconfirmedItems += items;
    this.#unconfirmedBytes += bytes;
    this.#forget();
    connection?.send(MESSAGE.transact, head, blobs);
  }

  #forget(): void {
    this.#settle = [];
    this.#settledItems = 0;
    this.#retries = [];
    this.#attempts.clear();
    this.#records = [];
    this.#counts.clear();
    this.#emitted = 0;
    this.#blobs.clear();
  }

  confirmed(n: number): void {
    const known = this.#unconfirmed.get(n);
    if (known === undefined) return;
    this.#unconfirmed.delete(n);
    this.#unconfirmedBytes -= known.bytes;
    this.#unconfirmedItems -= known.items;
  }

  /** Sources: sends again, in order, what is not known to be durable after number `durable`. */
  resend(connection: StreamConnection, durable: number): void {
    for (const [n, { head, blobs }] of this.#unconfirmed) {
      if (n <= durable) this.confirmed(n);
      else connection.send(MESSAGE.transact, head, blobs);
    }
  }

  /** Drops everything: the claims that it settles are void. */
  clear(): void {
    this.#forget();
    this.#unconfirmed.clear();
    this.#unconfirmedBytes = 0;
    this.#unconfirmedItems = 0;
  }
}
