import type { EngineOptions } from "../../definition/engine-options.ts";
import type { Durability } from "../contract.ts";

/**
 * What a broker does for the streams process: it keeps frames in queues, confirms them, and hands them out until
 * they are acknowledged. That is all: which items of a frame are done, attempts, delays, records and counters stand
 * in the ledger beside it (see broker-engine.ts), and reconnecting is steady-broker.ts's business. A driver is one
 * file that turns these few verbs into a client library's calls.
 */

/** What happens to a session without being asked for. */
export interface SessionEvents {
  /** The connection is gone, or of no use any more: called once; nothing of this session resolves after it. */
  lost(problem: Error): void;
  /** The broker takes nothing at present (a memory or disk alarm, a full queue), or, undefined, takes it again. */
  blocked(reason: string | undefined): void;
}

/** One message, handed out and not acknowledged yet. */
export interface Arrival {
  /** The number under which it was published; undefined when it carries none: it is not ours. */
  readonly number: number | undefined;
  readonly bytes: Buffer;
  /** Tells the broker that it can forget the message. Never throws: on a lost session it does nothing. */
  ack(): void;
}

export interface Intake {
  /** At most so many messages may be in our hands, not acknowledged. Begins at 0; raised and lowered at any time. */
  limit(messages: number): void;
  /** No more messages; those in our hands stay there until they are acknowledged or the session ends. */
  close(): void;
}

/** One connection to a broker. */
export interface BrokerSession {
  /** For people: "RabbitMQ 3.10.8 at 127.0.0.1:5672". */
  readonly server: string;
  /** The largest message that it takes. */
  readonly maxFrameBytes: number;
  /** What a confirmed message survives, with these options on this server. */
  readonly confirmSurvives: Durability;
  /**
   * So long a server may take to find out that a client is gone, where that is more than a minute: what such a client had
   * is handed out again only then, and is not lost before.
   */
  readonly handBackMs?: number;
  /** What whoever runs the server should know, each with what to do: "appendonly is no: …". `millrace doctor` shows it. */
  readonly cautions?: readonly string[];
  /**
   * Creates the queue where it is missing. Rejects with MR_ENGINE_QUEUE_DIFFERS where one exists that is unlike it.
   * `options` are those of its stage (see EngineOptions): they win over the broker's own, `arguments` one by one.
   */
  declare(queue: string, options?: EngineOptions): Promise<void>;
  /**
   * Resolves when the broker has confirmed it. Messages of one queue, published one after another, come in that
   * order. Rejects when the session is lost, or with MR_ENGINE_FULL when the broker refused it for want of room.
   */
  publish(queue: string, number: number, frame: Buffer): Promise<void>;
  /** Hands out messages in order, those first that a lost session had in its hands. One consumer a queue. */
  consume(queue: string, onArrival: (arrival: Arrival) => void): Intake;
  /** Messages in the queue that are in nobody's hands. */
  waiting(queue: string): Promise<number>;
  /** Removes the queue and what is in it; nothing where there is none. */
  drop(queue: string): Promise<void>;
  close(): Promise<void>;
}

export interface Broker {
  /** For people, without a password: "amqp://guest@127.0.0.1:5672". */
  readonly address: string;
  /**
   * One attempt to connect, at most `timeoutMs`. Rejects with StreamError MR_ENGINE_UNREACHABLE (nobody there: worth
   * another attempt), MR_ENGINE_REFUSED (credentials, vhost, TLS authority: what a person must mend),
   * MR_ENGINE_TOO_OLD or MR_ENGINE_CLIENT_MISSING.
   */
  connect(events: SessionEvents, timeoutMs: number): Promise<BrokerSession>;
}

/** Durable work of one run of one pipeline: `millrace.orders.r7f3.parse~2`. */
export type QueueNames = (stream: string) => string;
