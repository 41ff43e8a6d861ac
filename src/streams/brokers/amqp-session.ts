import type { ChannelModel, ConfirmChannel } from "amqplib";
import type { EngineOptions } from "../../definition/engine-options.ts";
import type { Env } from "../../env/env.ts";
import type { Durability } from "../contract.ts";
import { discard, takeLeave } from "./amqp-connect.ts";
import { AmqpDesk } from "./amqp-desk.ts";
import { AmqpIntake } from "./amqp-intake.ts";
import { isMissing, isNacked, queueProblem, sessionProblem } from "./amqp-problem.ts";
import { amqpQueue, mergedOptions } from "./amqp-queue.ts";
import { AmqpReturns } from "./amqp-returns.ts";
import type { AmqpSettings } from "./amqp-settings.ts";
import type { Arrival, BrokerSession, Intake, SessionEvents } from "./broker.ts";
import { engineError } from "./engine-error.ts";

/** Larger frames are not built; RabbitMQ itself would take more. */
const MAX_FRAME_BYTES = 1024 * 1024;

/**
 * Two connections to one RabbitMQ server: with an alarm it stops reading from those that publish, and
 * acknowledgements must go on.
 */
export class AmqpSession implements BrokerSession {
  readonly server: string;
  readonly maxFrameBytes = MAX_FRAME_BYTES;
  readonly confirmSurvives: Durability;
  readonly handBackMs: number;
  readonly #env: Env;
  readonly #settings: AmqpSettings;
  readonly #connections: readonly ChannelModel[];
  readonly #work: ChannelModel;
  readonly #publisher: ConfirmChannel;
  readonly #desk: AmqpDesk;
  readonly #events: SessionEvents;
  readonly #returned: AmqpReturns;
  /** Of the queues that are not published to through the default one. */
  readonly #exchanges = new Map<string, string>();
  readonly #intakes = new Map<string, AmqpIntake>();
  #isOver = false;

  private constructor(
    env: Env,
    settings: AmqpSettings,
    [work, publishing]: readonly [ChannelModel, ChannelModel],
    publisher: ConfirmChannel,
    events: SessionEvents,
  ) {
    const { product, version } = work.connection.serverProperties;
    this.server = `${product} ${version} at ${settings.host}:${settings.port}`;
    this.confirmSurvives = isFlushed(settings, version) ? "power-loss" : "process-death";
    // A client is gone for RabbitMQ when two heartbeats are missing.
    this.handBackMs = 3_000 * settings.heartbeatSeconds;
    this.#env = env;
    this.#settings = settings;
    this.#work = work;
    this.#connections = [work, publishing];
    this.#publisher = publisher;
    this.#desk = new AmqpDesk(work);
    this.#events = events;
    for (const connection of this.#connections) {
      connection.on("error", (error) => this.#lose(error));
      connection.on("close", (error) => this.#lose(error ?? new Error("closed")));
    }
    publishing.on("blocked", (reason) => {
      if (!this.#isOver) events.blocked(reason);
    });
    publishing.on("unblocked", () => {
      if (!this.#isOver) events.blocked(undefined);
    });
    publisher.on("error", (error) => this.#lose(error));
    publisher.on("close", () => this.#lose(new Error("the channel was closed")));
    this.#returned = new AmqpReturns(publisher);
  }

  /** Over two connections that were just made; they are its own from now on, also when this rejects. */
  static async open(
    env: Env,
    settings: AmqpSettings,
    connections: readonly [work: ChannelModel, publishing: ChannelModel],
    events: SessionEvents,
  ): Promise<AmqpSession> {
    try {
      const publisher = await connections[1].createConfirmChannel();
      return new AmqpSession(env, settings, connections, publisher, events);
    } catch (error) {
      for (const connection of connections) discard(connection);
      throw error;
    }
  }

  async declare(queue: string, options?: EngineOptions): Promise<void> {
    const wanted = amqpQueue(mergedOptions(this.#settings.queues, options));
    const { exchange } = wanted;
    let what = `the queue ${queue}`;
    try {
      await this.#desk.run((channel) =>
        channel.assertQueue(queue, { durable: true, arguments: wanted.arguments }),
      );
      if (exchange === undefined) return;
      what = `the exchange ${exchange}`;
      await this.#desk.run((channel) => channel.assertExchange(exchange, "direct", { durable: true }));
      await this.#desk.run((channel) => channel.bindQueue(queue, exchange, queue));
      this.#exchanges.set(queue, exchange);
    } catch (error) {
      throw queueProblem(error, what, this.server);
    }
  }

  publish(queue: string, number: number, frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      const messageId = `${number}`;
      const onConfirm = (error: unknown) => {
        if (error === null && this.#returned.isNone) resolve();
        else this.#unconfirmed(queue, messageId, error, resolve, reject);
      };
      try {
        this.#publisher.publish(
          this.#exchanges.get(queue) ?? "",
          queue,
          frame,
          { messageId, persistent: true, mandatory: true },
          onConfirm,
        );
      } catch (error) {
        reject(sessionProblem(error, this.server));
      }
    });
  }

  #unconfirmed(
    queue: string,
    messageId: string,
    error: unknown,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    if (error === null) {
      if (!this.#returned.take(queue, messageId)) {
        resolve();
        return;
      }
      const problem = sessionProblem(new Error(`queue ${queue} was removed at the broker`), this.server);
      reject(problem);
      // The next session declares it again.
      this.#lose(problem);
    } else if (isNacked(error)) {
      // n.b. RabbitMQ gives no reason.
      const why = "it refused a frame: as long as it may be, or too few of its nodes are there";
      reject(engineError.full(this.server, `the queue ${queue}`, why));
    } else reject(sessionProblem(error, this.server));
  }

  consume(queue: string, onArrival: (arrival: Arrival) => void): Intake {
    const intake = new AmqpIntake(this.#env, this.#work, queue, onArrival, (problem) => this.#lose(problem));
    this.#intakes.set(queue, intake);
    return intake;
  }

  async waiting(queue: string): Promise<number> {
    try {
      return (await this.#desk.run((channel) => channel.checkQueue(queue))).messageCount;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw queueProblem(error, `the queue ${queue}`, this.server);
    }
  }

  async drop(queue: string): Promise<void> {
    // A consumer whose queue is removed under it takes that for a loss.
    this.#intakes.get(queue)?.close();
    this.#intakes.delete(queue);
    try {
      await this.#desk.run((channel) => channel.deleteQueue(queue));
    } catch (error) {
      if (!isMissing(error)) throw queueProblem(error, `the queue ${queue}`, this.server);
    }
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const intake of this.#intakes.values()) intake.flush();
    await takeLeave(this.#env, this.#connections);
  }

  #lose(problem: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.lost(sessionProblem(problem, this.server));
    for (const connection of this.#connections) discard(connection);
  }
}

/**
 * A quorum queue's log is flushed before it confirms. So is a classic queue of RabbitMQ 3.10; of newer versions we only
 * know that it is written.
 */
function isFlushed({ queues }: AmqpSettings, version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return queues.queueType === "quorum" || (major === 3 && minor < 12);
}
