import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import type { Intake } from "./broker.ts";

/*
 * 1. `#held` has what was sent to us and is not acknowledged: what waits in `#surplus` for a raised limit, and what is
 *    in our owner's hands.
 * 2. `held + asked` is at most the limit whenever messages are asked for; a lowered limit takes no request back, so
 *    what comes above it waits in `#surplus`.
 * 3. Never more than two requests are open: a new one goes out when what is still asked for belongs to the last.
 */

const SECOND_NS = 1_000_000_000;
const EXPIRES_NS = 30 * SECOND_NS;
const HEARTBEAT_NS = 5 * SECOND_NS;
/** Ticks without a word while messages are asked for; the server's heartbeats come more often. */
const PATIENCE_TICKS = 8;
/** One request asks for no more: a server ends a connection with 64 MiB unread. */
const MAX_BATCH = 1024;
const MAX_BYTES = 24 * 1024 * 1024 + 1;

const WORKING = Buffer.from("+WPI");

interface IntakeParts {
  readonly connection: NatsConnection;
  readonly stream: string;
  readonly consumer: string;
  readonly inbox: string;
  /** Makes the consumer ready. */
  begin(): Promise<void>;
  /** The consumer cannot be made, or has gone: the connection is of no use. */
  onProblem(problem: unknown): void;
}

/** Takes the messages of one pull consumer. */
export class NatsIntake implements Intake {
  readonly #parts: IntakeParts;
  readonly #onDelivery: (delivery: NatsDelivery) => void;
  readonly #held = new Map<number, NatsDelivery>();
  readonly #surplus: NatsDelivery[] = [];
  #subscription: Subscription | undefined;
  #limit = 0;
  #asked = 0;
  #lastBatch = 0;
  #silentTicks = 0;
  #isClosed = false;

  constructor(parts: IntakeParts, onDelivery: (delivery: NatsDelivery) => void) {
    this.#parts = parts;
    this.#onDelivery = onDelivery;
    this.#begin().catch((error) => parts.onProblem(error));
  }

  get stream(): string {
    return this.#parts.stream;
  }

  get isDone(): boolean {
    return this.#isClosed && this.#held.size === 0;
  }

  limit(messages: number): void {
    this.#limit = messages;
    this.#handOut();
    this.#ask();
  }

  /** No more are handed out; those in hand can be acknowledged, and the server is told that they are worked on. */
  close(): void {
    this.#isClosed = true;
    this.#subscription?.unsubscribe();
    for (const { sequence } of this.#surplus.splice(0)) this.#held.delete(sequence);
  }

  /** Messages in our owner's hands of those up to a place in the stream. */
  inHand(upTo: number): number {
    const waiting = new Set(this.#surplus);
    let count = 0;
    for (const arrival of this.#held.values()) if (arrival.sequence <= upTo && !waiting.has(arrival)) count++;
    return count;
  }

  ack(arrival: NatsDelivery): void {
    // n.b. one that came twice has been acknowledged under its newest name.
    if (!this.#held.delete(arrival.sequence) || this.#parts.connection.isClosed()) return;
    this.#parts.connection.publish(arrival.reply);
    if (this.#surplus.length > 0) this.#handOut();
    this.#ask();
  }

  tick(): void {
    if (this.#isClosed) return;
    if (this.#asked > 0 && ++this.#silentTicks > PATIENCE_TICKS)
      this.#parts.onProblem(`not a word of the consumer of ${this.stream}`);
  }

  /** Tells the server that all that is in hand is being worked on: it would hand it out again. */
  renew(): void {
    if (this.#isClosed || this.#parts.connection.isClosed()) return;
    for (const { reply } of this.#held.values()) this.#parts.connection.publish(reply, WORKING);
  }

  async #begin(): Promise<void> {
    const { connection, inbox, begin } = this.#parts;
    await begin();
    if (this.#isClosed) return;
    this.#subscription = connection.subscribe(inbox, { callback: (_, message) => this.#receive(message) });
    this.#ask();
  }

  #ask(): void {
    const room = Math.min(MAX_BATCH, this.#limit - this.#held.size - this.#asked);
    if (room <= 0 || this.#asked > this.#lastBatch / 2) return;
    if (this.#isClosed || this.#subscription === undefined || this.#parts.connection.isClosed()) return;
    if (this.#asked === 0) this.#silentTicks = 0;
    this.#asked += room;
    this.#lastBatch = room;
    const request = { batch: room, max_bytes: MAX_BYTES, expires: EXPIRES_NS, idle_heartbeat: HEARTBEAT_NS };
    const { connection, stream, consumer, inbox } = this.#parts;
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify(request), {
      reply: inbox,
    });
  }

  /** n.b. what throws in a callback ends the reading of the connection, in silence. */
  #receive(message: Msg): void {
    try {
      this.#onMessage(message);
    } catch (error) {
      this.#parts.onProblem(error);
    }
  }

  #onMessage(message: Msg): void {
    this.#silentTicks = 0;
    const { reply = "" } = message;
    if (reply === "") {
      this.#onStatus(message);
      return;
    }
    this.#asked = Math.max(0, this.#asked - 1);
    const sequence = sequenceOf(reply);
    const known = this.#held.get(sequence);
    if (known === undefined) {
      const arrival = new NatsDelivery(this, sequence, message, reply);
      this.#held.set(sequence, arrival);
      this.#surplus.push(arrival);
      this.#handOut();
    } else known.reply = reply;
    this.#ask();
  }

  #onStatus(message: Msg): void {
    const { code = 0, description = "" } = message.headers ?? {};
    if (code === 100) return;
    // A request has ended: its time is over, or its bytes are; newer servers tell of every end.
    const isOver = code === 408 || (code === 409 && /maxbytes|batch completed/i.test(description));
    if (!isOver) {
      this.#parts.onProblem(`${this.stream}: ${code} ${description}`);
      return;
    }
    this.#asked = Math.max(0, this.#asked - Number(message.headers?.get("Nats-Pending-Messages") || 0));
    this.#ask();
  }

  #handOut(): void {
    while (this.#surplus.length > 0 && this.#held.size - this.#surplus.length < this.#limit)
      this.#onDelivery(this.#surplus.shift() as NatsDelivery);
  }
}

/** One message, handed out and not acknowledged yet. */
export class NatsDelivery {
  readonly #intake: NatsIntake;
  /** Its place in the stream. */
  readonly sequence: number;
  readonly message: Msg;
  /** Where its acknowledgement goes; another one when it has come again. */
  reply: string;

  constructor(intake: NatsIntake, sequence: number, message: Msg, reply: string) {
    this.#intake = intake;
    this.sequence = sequence;
    this.message = message;
    this.reply = reply;
  }

  ack(): void {
    this.#intake.ack(this);
  }
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>…`, on newer servers with two more names before the stream. */
function sequenceOf(reply: string): number {
  const tokens = reply.split(".");
  return Number(tokens[tokens.length > 9 ? 7 : 5]);
}
