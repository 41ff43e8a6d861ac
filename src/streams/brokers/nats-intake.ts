import type { JetStreamManager } from "@nats-io/jetstream";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import type { Arrival, Intake } from "./broker.ts";
import { NUMBER_HEADER } from "./nats-publisher.ts";
import { apiCode, streamOf } from "./nats-queue.ts";

/*
 * 1. `#held` has what was sent to us and is not acknowledged: what waits in `#surplus` for a raised limit, and what is
 *    in our owner's hands.
 * 2. `held + asked` is at most the limit whenever messages are asked for; a lowered limit takes no request back, so
 *    what comes above it waits in `#surplus`.
 * 3. Never more than two requests are open: a new one goes out when what is still asked for belongs to the last.
 */

const CONSUMER = "millrace";
const NO_CONSUMER = 10014;
const SECOND_NS = 1_000_000_000;
/**
 * How long a message that did not reach us, or whose acknowledgement was lost, stays away: rare, between servers of a
 * cluster only. What a lost connection had comes again at once, whatever this is, since its consumer goes with it.
 * Long enough that telling the server of all that is in hand costs little, every third of it.
 */
const ACK_WAIT_NS = 30 * SECOND_NS;
const EXPIRES_NS = 30 * SECOND_NS;
const HEARTBEAT_NS = 5 * SECOND_NS;
/** Ticks without a word while messages are asked for; the server's heartbeats come more often. */
const PATIENCE_TICKS = 8;
const RENEW_TICKS = 5;
/** One request asks for no more: a server ends a connection with 64 MiB unread. */
const MAX_BATCH = 1024;
const MAX_BYTES = 24 * 1024 * 1024 + 1;

const WORKING = Buffer.from("+WPI");

interface IntakeParts {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly queue: string;
  readonly inbox: string;
  /** The consumer cannot be made, or has gone: the session is of no use. */
  onProblem(problem: unknown): void;
}

/**
 * Takes the messages of one queue. Its consumer is made anew: a streams process is alone on its queues, so whatever an
 * earlier one had in its hands is forgotten by the server, and comes again at once and in its old place.
 */
export class NatsIntake implements Intake {
  readonly #parts: IntakeParts;
  readonly #onArrival: (arrival: Arrival) => void;
  readonly #held = new Map<number, NatsArrival>();
  readonly #surplus: NatsArrival[] = [];
  #subscription: Subscription | undefined;
  #limit = 0;
  #asked = 0;
  #lastBatch = 0;
  #ticks = 0;
  #silentTicks = 0;
  #isClosed = false;

  constructor(parts: IntakeParts, onArrival: (arrival: Arrival) => void) {
    this.#parts = parts;
    this.#onArrival = onArrival;
    this.#begin().catch((error) => parts.onProblem(error));
  }

  get queue(): string {
    return this.#parts.queue;
  }

  get isDone(): boolean {
    return this.#isClosed && this.#held.size === 0;
  }

  limit(messages: number): void {
    this.#limit = messages;
    this.#handOut();
    this.#ask();
  }

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

  ack(arrival: NatsArrival): void {
    // n.b. one that came twice has been acknowledged under its newest name.
    if (!this.#held.delete(arrival.sequence) || this.#parts.connection.isClosed()) return;
    this.#parts.connection.publish(arrival.reply);
    if (this.#surplus.length > 0) this.#handOut();
    this.#ask();
  }

  tick(): void {
    if (this.#isClosed) return;
    if (++this.#ticks % RENEW_TICKS === 0)
      for (const { reply } of this.#held.values()) this.#parts.connection.publish(reply, WORKING);
    if (this.#asked > 0 && ++this.#silentTicks > PATIENCE_TICKS)
      this.#parts.onProblem(`not a word of the consumer of ${this.queue}`);
  }

  async #begin(): Promise<void> {
    const { connection, jsm, queue, inbox } = this.#parts;
    const stream = streamOf(queue);
    await jsm.consumers.delete(stream, CONSUMER).catch((error) => {
      if (apiCode(error) !== NO_CONSUMER) throw error;
    });
    await jsm.consumers.add(stream, {
      durable_name: CONSUMER,
      ack_policy: "explicit",
      deliver_policy: "all",
      ack_wait: ACK_WAIT_NS,
      max_ack_pending: -1,
    });
    if (this.#isClosed) return;
    this.#subscription = connection.subscribe(inbox, { callback: (_, message) => this.#onMessage(message) });
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
    const { connection, queue, inbox } = this.#parts;
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${streamOf(queue)}.${CONSUMER}`, JSON.stringify(request), {
      reply: inbox,
    });
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
      const arrival = new NatsArrival(this, sequence, message);
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
      this.#parts.onProblem(`${this.queue}: ${code} ${description}`);
      return;
    }
    this.#asked = Math.max(0, this.#asked - Number(message.headers?.get("Nats-Pending-Messages") || 0));
    this.#ask();
  }

  #handOut(): void {
    while (this.#surplus.length > 0 && this.#held.size - this.#surplus.length < this.#limit)
      this.#onArrival(this.#surplus.shift() as NatsArrival);
  }
}

class NatsArrival implements Arrival {
  readonly #intake: NatsIntake;
  readonly sequence: number;
  readonly number: number | undefined;
  readonly bytes: Buffer;
  /** Where its acknowledgement goes; another one when it has come again. */
  reply: string;

  constructor(intake: NatsIntake, sequence: number, { data, headers, reply = "" }: Msg) {
    this.#intake = intake;
    this.sequence = sequence;
    const number = headers?.get(NUMBER_HEADER) ?? "";
    this.number = /^\d{1,16}$/.test(number) ? Number(number) : undefined;
    this.bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
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
