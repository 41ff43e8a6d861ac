import { packValue } from "../wire/packing.ts";
import type { StreamConnection } from "./connection.ts";
import { MESSAGE, type TransactHead } from "./protocol.ts";
import type { PushFrame } from "./push-frames.ts";
import type { PushTick } from "./push-tick.ts";

interface Sent {
  readonly head: TransactHead;
  readonly blobs: readonly Buffer[];
  readonly bytes: number;
  readonly tick: PushTick;
}

/** A pusher's transactions that are not known to be durable, in their order; numbered from 1. */
export class UnconfirmedPushes {
  readonly #key: string;
  readonly #sent = new Map<number, Sent>();
  #number = 0;
  bytes = 0;

  /** `key`: of the record in which the number of the last durable one stands. */
  constructor(key: string) {
    this.#key = key;
  }

  get isEmpty(): boolean {
    return this.#sent.size === 0;
  }

  /** Takes frames that one tick has filled; sends them where there is a connection. */
  add(frames: readonly PushFrame[], tick: PushTick, connection: StreamConnection | undefined): void {
    const n = ++this.#number;
    const append = frames.map(
      ({ stream, count, delayMs }) => [stream, count, delayMs, true] as [string, number, number, boolean],
    );
    const blobs = frames.map(({ bytes }) => bytes);
    blobs.push(packValue({ n }));
    let bytes = 256;
    for (const blob of blobs) bytes += blob.length;
    const references = frames.flatMap((frame) => frame.blobs ?? []);
    const head = {
      n,
      settle: [],
      append,
      records: [[this.#key, true] as const],
      counts: [],
      ...(references.length === 0 ? {} : { blobs: references.map((blob) => [blob, 1] as const) }),
    };
    this.#sent.set(n, { head, blobs, bytes, tick });
    this.bytes += bytes;
    connection?.send(MESSAGE.transact, head, blobs);
  }

  /** Sends all of them again, over a new connection. */
  resend(connection: StreamConnection): void {
    for (const { head, blobs } of this.#sent.values()) connection.send(MESSAGE.transact, head, blobs);
  }

  get numbers(): number[] {
    return [...this.#sent.keys()];
  }

  /** One of them is durable, or was refused. False: it is none of them. */
  settle(n: number, error: Error | undefined): boolean {
    const sent = this.#sent.get(n);
    if (sent === undefined) return false;
    this.#sent.delete(n);
    this.bytes -= sent.bytes;
    sent.tick.end(error);
    return true;
  }

  /** None of them will be. */
  fail(error: Error): void {
    for (const { tick } of this.#sent.values()) tick.end(error);
    this.#sent.clear();
    this.bytes = 0;
  }

  /** Nobody will ask any more how far this pusher came. */
  forget(connection: StreamConnection): void {
    const records = [[this.#key, false] as const];
    connection.send(MESSAGE.transact, { n: ++this.#number, settle: [], append: [], records, counts: [] });
  }
}
