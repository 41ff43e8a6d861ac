import type { StreamConnection } from "../streams/connection.ts";
import type { DeliveredRange, StatsAnswer } from "../streams/protocol.ts";
import { Transactions } from "./transactions.ts";

/** A delivered range of items and its frame. */
export interface Delivered {
  readonly range: DeliveredRange;
  readonly bytes: Buffer;
}

type Connect = (handlers: {
  onDeliver(ranges: readonly DeliveredRange[], frames: readonly Buffer[]): void;
  onConfirmed(n: number): void;
  onRefused(n: number, error: Error): void;
  onClose(): void;
}) => Promise<StreamConnection>;

/**
 * One connection of an instance that keeps records of its own: what it settles and what it writes down is one
 * transaction, and it can read what it has written. When it is lost nothing is known any more but what is stored.
 */
export class RecordLink {
  readonly transactions: Transactions;
  /** What has come and has not been taken. */
  inbox: Delivered[] = [];
  isClosed = false;
  /** Called when something has come, or it is closed. */
  onNews: () => void = () => undefined;
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  #connection: StreamConnection | undefined;

  private constructor(stage: string) {
    this.transactions = new Transactions(stage);
  }

  static async open(stage: string, connect: Connect): Promise<RecordLink> {
    const link = new RecordLink(stage);
    link.#connection = await connect({
      onDeliver: (ranges, frames) => {
        for (const [i, range] of ranges.entries()) link.inbox.push({ range, bytes: frames[i] as Buffer });
        link.onNews();
      },
      onConfirmed: (n) => {
        link.transactions.confirmed(n);
        link.#waiting.get(n)?.resolve();
        link.#waiting.delete(n);
      },
      onRefused: (n, error) => {
        link.#waiting.get(n)?.reject(error);
        link.#waiting.delete(n);
        // Nobody knows any more who holds what: it begins anew.
        link.#connection?.destroy();
      },
      onClose: () => link.#close(),
    });
    return link;
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const error = new LinkLost("streams process: the connection to it was closed");
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.onNews();
  }

  send(type: number, head: unknown): void {
    this.#connection?.send(type, head);
  }

  /** Sends what the transaction holds; resolves when it is durable, rejects when that cannot be known. */
  async commit(): Promise<void> {
    if (this.isClosed) throw new LinkLost("streams process: the connection to it was closed");
    if (this.transactions.isEmpty) return;
    const n = this.transactions.next;
    const confirmed = new Promise<void>((resolve, reject) => this.#waiting.set(n, { resolve, reject }));
    this.transactions.send(this.#connection, []);
    await confirmed;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.#asked("get", { key })).value;
  }

  /** The records under a prefix, in the order of their keys. */
  async *scan(prefix: string): AsyncGenerator<{ readonly key: string; readonly value: Uint8Array }> {
    let cursor: string | undefined;
    do {
      const page = await this.#asked("scan", { prefix, ...(cursor === undefined ? {} : { cursor }) });
      for (const [i, key] of page.keys.entries()) yield { key, value: page.values[i] as Uint8Array };
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  #asked: StreamConnection["request"] = async (verb, ask) => {
    try {
      if (this.#connection !== undefined && !this.isClosed) return await this.#connection.request(verb, ask);
    } catch (error) {
      if (!this.isClosed) throw error;
    }
    throw new LinkLost("streams process: the connection to it was closed");
  };

  /** What the streams process knows of all streams. */
  stats(): Promise<StatsAnswer> {
    return this.#asked("stats", {});
  }

  end(): void {
    this.#connection?.end();
    this.#close();
  }
}

/** The connection went while something was under way: it is done again over the next one. */
export class LinkLost extends Error {}
