import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { EngineOptions } from "../../definition/engine-options.ts";
import type { Env, Timer } from "../../env/env.ts";
import type { StreamError } from "../../errors.ts";
import type { Durability } from "../contract.ts";
import type { Arrival, BrokerSession, Intake, SessionEvents } from "./broker.ts";
import { engineError } from "./engine-error.ts";
import { cautionsFor } from "./nats-cautions.ts";
import { watchNats } from "./nats-connect.ts";
import { CONSUMER, makeConsumer } from "./nats-consumer.ts";
import { NatsIntake } from "./nats-intake.ts";
import { arrivalOf, NUMBER_HEADER } from "./nats-message.ts";
import { natsProblem, refusalOf } from "./nats-problem.ts";
import { NatsPublisher } from "./nats-publisher.ts";
import { declareQueue, dropQueue, streamOf } from "./nats-queue.ts";
import type { NatsQueueOptions } from "./nats-settings.ts";

const TICK_MS = 2_000;
/** What is in hand is told to the server every third of the time after which it would hand it out again. */
const RENEW_TICKS = 5;
const FAREWELL_MS = 2_000;
/** Room for the headers of a message within the server's `max_payload`. */
const HEADER_BYTES = 128;

interface SessionParts {
  readonly env: Env;
  readonly connection: NatsConnection;
  readonly client: typeof import("@nats-io/transport-node");
  readonly jsm: JetStreamManager;
  readonly server: string;
  readonly queues: NatsQueueOptions;
  readonly events: SessionEvents;
}

/**
 * One connection to NATS. Whatever is wrong with it - it is closed, pings go unanswered, a confirmation does not come,
 * a consumer or a stream has gone, a leader is being elected - ends it as lost: the next session makes all anew.
 */
export class NatsSession implements BrokerSession {
  readonly #parts: SessionParts;
  readonly #publisher: NatsPublisher;
  readonly #timer: Timer;
  #intakes: NatsIntake[] = [];
  #ticks = 0;
  #isOver = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { connection, client, server, env } = parts;
    const onProblem = (problem: unknown): void => this.#lose(problem);
    const inbox = client.createInbox();
    this.#publisher = new NatsPublisher({
      connection,
      inbox,
      onProblem,
      problemOf: (r) => refusalOf(server, r),
    });
    this.#timer = env.timers.every(TICK_MS, () => this.#onTick(), { background: true });
    void watchNats(connection, onProblem);
  }

  get server(): string {
    return this.#parts.server;
  }

  get maxFrameBytes(): number {
    return (this.#parts.connection.info?.max_payload ?? 1024 * 1024) - HEADER_BYTES;
  }

  /** A server writes to disk what it confirms, and flushes it later; whether it was told otherwise it does not say. */
  get confirmSurvives(): Durability {
    return this.#parts.queues.storage === "memory" ? "nothing" : "process-death";
  }

  get cautions(): readonly string[] {
    return cautionsFor(this.#parts.connection.info);
  }

  declare(queue: string, options: EngineOptions = {}): Promise<void> {
    const { jsm, server, queues, connection } = this.#parts;
    const { replicas = queues.replicas, storage = queues.storage, maxBytes = queues.maxBytes } = options;
    const version = connection.info?.version ?? "";
    return this.#guard(() =>
      declareQueue(jsm, { server, version }, queue, {
        replicas,
        storage,
        ...(maxBytes !== undefined && { maxBytes }),
      }),
    );
  }

  publish(queue: string, number: number, frame: Buffer): Promise<void> {
    if (this.#isOver) return Promise.reject(this.#overError());
    const headers = this.#parts.client.headers();
    headers.set(NUMBER_HEADER, String(number));
    return this.#publisher.publish(queue, frame, headers);
  }

  consume(queue: string, onArrival: (arrival: Arrival) => void): Intake {
    const { connection, client, jsm } = this.#parts;
    const stream = streamOf(queue);
    const intake = new NatsIntake(
      {
        connection,
        stream,
        consumer: CONSUMER,
        inbox: client.createInbox(),
        begin: () => makeConsumer(jsm, stream),
        onProblem: (problem) => this.#lose(problem),
      },
      (delivery) => onArrival(arrivalOf(delivery)),
    );
    this.#intakes = [...this.#intakes.filter(({ isDone }) => !isDone), intake];
    return intake;
  }

  waiting(queue: string): Promise<number> {
    return this.#guard(async () => {
      const { state } = await this.#parts.jsm.streams.info(streamOf(queue));
      const ours = this.#intakes.filter((intake) => intake.stream === streamOf(queue));
      return ours.reduce((left, intake) => left - intake.inHand(state.last_seq), state.messages);
    });
  }

  drop(queue: string): Promise<void> {
    // n.b. a consumer whose stream is removed under it is a reason to begin anew.
    for (const intake of this.#intakes) if (intake.stream === streamOf(queue)) intake.close();
    return this.#guard(() => dropQueue(this.#parts.jsm, queue));
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#end(this.#overError());
    const { connection, env } = this.#parts;
    // Acknowledgements are on their way: the answer to a ping says that they have been read.
    await Promise.race([connection.flush(), env.timers.sleep(FAREWELL_MS)]).catch(() => undefined);
    await connection.close().catch(() => undefined);
  }

  /** Errors of the client as ours. */
  async #guard<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isOver) throw this.#overError();
    try {
      return await call();
    } catch (error) {
      throw natsProblem(this.server, error);
    }
  }

  #onTick(): void {
    const isToRenew = ++this.#ticks % RENEW_TICKS === 0;
    this.#publisher.tick();
    for (const intake of this.#intakes) {
      if (this.#isOver) return;
      intake.tick();
      if (isToRenew) intake.renew();
    }
  }

  #lose(problem: unknown): void {
    if (this.#isOver) return;
    const error = natsProblem(this.server, problem);
    this.#end(error);
    void this.#parts.connection.close().catch(() => undefined);
    this.#parts.events.lost(error);
  }

  #end(problem: Error): void {
    this.#isOver = true;
    this.#timer.cancel();
    this.#publisher.fail(problem);
  }

  #overError(): StreamError {
    return engineError.unreachable(this.server, "the connection is closed");
  }
}
