import type { Arrival } from "./broker.ts";

/** An entry of a stream as a read gives it: its fields are gone when it was deleted meanwhile. */
export type RedisEntry = readonly [id: Buffer, fields: readonly Buffer[] | null];

/** An arrival with all that its entry says. */
export interface RedisArrival extends Arrival {
  readonly id: string;
  /** Names and values by turns. */
  readonly fields: readonly Buffer[];
}

/** What a session knows of one queue: the entries in our hands, and those of them that the server may forget. */
export class RedisQueue {
  readonly name: string;
  /** Given to us in this session, not acknowledged. */
  readonly inHand = new Set<string>();
  readonly #onAcks: (queue: RedisQueue) => void;
  #acks: string[] = [];

  constructor(name: string, onAcks: (queue: RedisQueue) => void) {
    this.name = name;
    this.#onAcks = onAcks;
  }

  /** Undefined when it is in our hands already, or there is nothing left of it. */
  take([idBytes, fields]: RedisEntry, onAck: () => void): RedisArrival | undefined {
    const id = idBytes.toString("latin1");
    if (this.inHand.has(id)) return undefined;
    if (fields === null) {
      this.release([id]);
      return undefined;
    }
    this.inHand.add(id);
    return {
      id,
      fields,
      number: numberOf(fields),
      bytes: fields[3] ?? fields.at(-1) ?? Buffer.alloc(0),
      ack: () => {
        if (!this.inHand.delete(id)) return;
        this.release([id]);
        onAck();
      },
    };
  }

  /** To be forgotten by the server, soon. */
  release(ids: readonly string[]): void {
    this.#acks.push(...ids);
    this.#onAcks(this);
  }

  /** What is to be forgotten; from now on it is the caller's business. */
  takeAcks(): string[] {
    const acks = this.#acks;
    this.#acks = [];
    return acks;
  }
}

/** The fields of ours are n, the number, f, the frame. */
function numberOf(fields: readonly Buffer[]): number | undefined {
  if (fields.length !== 4 || fields[0]?.toString("latin1") !== "n") return undefined;
  const number = Number(fields[1]?.toString("latin1"));
  return Number.isSafeInteger(number) ? number : undefined;
}
