import type { ConfirmChannel } from "amqplib";
import { describeValue, ensureError } from "../errors.ts";
import { isNacked, sessionProblem } from "../streams/brokers/amqp-problem.ts";
import { AmqpReturns } from "../streams/brokers/amqp-returns.ts";
import { engineError } from "../streams/brokers/engine-error.ts";
import { AmqpLink, type AmqpLinkParts } from "./amqp-link.ts";
import { headersOut, propertiesOut } from "./amqp-message.ts";
import { beyondHelp } from "./codec.ts";
import type { ForeignWriter, OutgoingMessage } from "./foreign-driver.ts";

/** What RabbitMQ takes by default; one that takes less says so, see {@link AmqpLimits}. */
const MAX_BODY_BYTES = 128 * 1024 * 1024;
/** RabbitMQ's routing keys have a length of one byte. */
const MAX_KEY_BYTES = 255;

/** What has been learnt of a server: it outlives a connection. */
export interface AmqpLimits {
  maxBodyBytes: number;
}

export const someLimits = (): AmqpLimits => ({ maxBodyBytes: MAX_BODY_BYTES });

export interface QueueWriterParts extends AmqpLinkParts {
  /** Undefined: the default exchange, whose routing keys are names of queues. */
  readonly exchange: string | undefined;
  readonly routingKey: string | ((item: unknown) => unknown);
  /** Whether a message that finds no queue fails its item. */
  readonly mandatory: boolean;
  readonly properties: ((item: unknown) => unknown) | undefined;
  readonly contentType: string | undefined;
  readonly limits: AmqpLimits;
}

/** Writes to an exchange of RabbitMQ: an item is done when RabbitMQ has confirmed its message. */
export class AmqpQueueWriter implements ForeignWriter {
  readonly #link: AmqpLink;
  readonly #parts: QueueWriterParts;
  readonly #channel: ConfirmChannel;
  readonly #returned: AmqpReturns;
  #isBlocked = false;

  private constructor(parts: QueueWriterParts, link: AmqpLink, channel: ConfirmChannel) {
    const { connection, events } = parts;
    this.#parts = parts;
    this.#link = link;
    this.#channel = channel;
    connection.on("blocked", (reason) => {
      if (this.#isBlocked) return;
      this.#isBlocked = true;
      events.notice?.(`${this.server} takes no messages for now (${reason}); items wait`);
    });
    connection.on("unblocked", () => {
      if (!this.#isBlocked) return;
      this.#isBlocked = false;
      events.notice?.(`${this.server} takes messages again`);
    });
    this.#returned = new AmqpReturns(channel);
    channel.on("error", (error) => this.#learn(error));
  }

  static async open(parts: QueueWriterParts): Promise<AmqpQueueWriter> {
    const { connection, exchange, routingKey } = parts;
    const link = new AmqpLink(parts);
    const queue = exchange === undefined && typeof routingKey === "string" ? routingKey : undefined;
    const name =
      exchange !== undefined ? `exchange ${exchange}` : `queue ${queue ?? "of the default exchange"}`;
    return link.about(name, async () => {
      const channel = await connection.createConfirmChannel();
      const writer = new AmqpQueueWriter(parts, link, channel);
      if (exchange !== undefined) await channel.checkExchange(exchange);
      else if (queue !== undefined && parts.mandatory) await channel.checkQueue(queue);
      link.watch(channel, name);
      return writer;
    });
  }

  get server(): string {
    return this.#link.server;
  }

  get maxBodyBytes(): number {
    return this.#parts.limits.maxBodyBytes;
  }

  send({ body, headers, item, id }: OutgoingMessage): Promise<void> {
    const { exchange = "", routingKey, mandatory, contentType, properties } = this.#parts;
    const key = keyFor(routingKey, item);
    const said = propertiesOut(properties?.(item));
    const messageId = said.messageId ?? id;
    const own = headersOut(headers);
    if (this.#link.isOver)
      return Promise.reject(engineError.unreachable(this.server, "the connection is closed"));
    return new Promise((resolve, reject) => {
      const onConfirm = (error: unknown): void => {
        const problem = this.#problemOf(key, messageId, error);
        if (problem === undefined) resolve();
        else reject(problem);
      };
      try {
        this.#channel.publish(
          exchange,
          key,
          body,
          {
            persistent: true,
            mandatory,
            ...(contentType && { contentType }),
            ...said,
            messageId,
            headers: own,
          },
          onConfirm,
        );
      } catch (error) {
        reject(this.#unsendable(ensureError(error)));
      }
    });
  }

  /** The channel is gone, or the client finds something that it cannot write down: a header's name of 300 bytes. */
  #unsendable(error: Error): Error {
    if (error.name === "IllegalOperationError") return sessionProblem(error, this.server);
    return beyondHelp("MR_NOT_ENCODABLE", `toQueue(): a message cannot be written: ${error.message}`, error);
  }

  #problemOf(key: string, messageId: string, error: unknown): Error | undefined {
    const isReturned = this.#returned.take(key, messageId);
    if (error === null) return isReturned ? this.#unroutable(key) : undefined;
    if (isNacked(error)) {
      return engineError.full(
        this.server,
        this.#target(key),
        "it refused a message: the queue is as long as it may be",
      );
    }
    return sessionProblem(error, this.server);
  }

  #target(key: string): string {
    const { exchange } = this.#parts;
    return exchange === undefined ? `queue ${key}` : `exchange ${exchange}`;
  }

  /** A failed attempt like any other: somebody may bind a queue before the next. */
  #unroutable(key: string): Error {
    const { exchange } = this.#parts;
    return engineError.refused(
      this.server,
      exchange === undefined
        ? `there is no queue ${key}`
        : `no queue is bound to exchange ${exchange} for routing key ${JSON.stringify(key)}; bind one, or have such messages dropped by mandatory: false`,
    );
  }

  /** The server may take less than others do: it says how much when it closes the channel. */
  #learn({ message }: Error): void {
    const [, most] = /larger than (?:configured )?max size (\d+)/.exec(message) ?? [];
    if (most !== undefined) this.#parts.limits.maxBodyBytes = Number(most);
  }

  close(): Promise<void> {
    return this.#link.close();
  }
}

function keyFor(routingKey: string | ((item: unknown) => unknown), item: unknown): string {
  const key = typeof routingKey === "string" ? routingKey : routingKey(item);
  if (typeof key === "string" && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  const got = typeof key === "string" ? `one of ${Buffer.byteLength(key)} bytes` : describeValue(key);
  throw beyondHelp(
    "MR_NOT_ENCODABLE",
    `toQueue(): routingKey() gave ${got}; give a text of at most ${MAX_KEY_BYTES} bytes`,
  );
}
