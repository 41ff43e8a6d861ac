import type { Channel, ConsumeMessage } from "amqplib";
import { sendAcks } from "../streams/brokers/amqp-acks.ts";
import { AmqpLink, type AmqpLinkParts } from "./amqp-link.ts";
import { headersIn } from "./amqp-message.ts";
import type { ReadableProperty } from "./amqp-properties.ts";
import type { ForeignReader } from "./foreign-driver.ts";

interface QueueReaderParts extends AmqpLinkParts {
  readonly queue: string;
  readonly properties: readonly ReadableProperty[];
  readonly prefetch: number;
}

/**
 * Reads a queue of RabbitMQ as one of its consumers. The queue is taken as it is, and must be there.
 *
 * n.b. AMQP has no name for a message that stays the same when it is handed out again.
 */
export class AmqpQueueReader implements ForeignReader {
  readonly #link: AmqpLink;
  readonly #parts: QueueReaderParts;
  readonly #channel: Channel;
  #consumerTag: string | undefined;
  /** Tags of the messages in our hands, oldest first. */
  readonly #held = new Set<number>();
  #acked: number[] = [];

  private constructor(parts: QueueReaderParts, link: AmqpLink, channel: Channel) {
    this.#parts = parts;
    this.#link = link;
    this.#channel = channel;
  }

  static async open(parts: QueueReaderParts): Promise<AmqpQueueReader> {
    const { connection, queue, prefetch } = parts;
    const link = new AmqpLink(parts);
    const name = `queue ${queue}`;
    return link.about(name, async () => {
      const channel = await connection.createChannel();
      const reader = new AmqpQueueReader(parts, link, channel);
      // Its refusals are said below; from then on its end is the link's.
      channel.on("error", () => undefined);
      await channel.checkQueue(queue);
      await channel.prefetch(prefetch);
      const { consumerTag } = await channel.consume(queue, (message) => reader.#take(message));
      reader.#consumerTag = consumerTag;
      link.watch(channel, name);
      return reader;
    });
  }

  get server(): string {
    return this.#link.server;
  }

  #take(message: ConsumeMessage | null): void {
    const { events, queue, properties } = this.#parts;
    if (message === null) {
      this.#link.lose(new Error(`queue ${queue} was removed, or its node is gone`));
      return;
    }
    const { deliveryTag } = message.fields;
    this.#held.add(deliveryTag);
    events.message({
      id: undefined,
      body: message.content,
      headers: headersIn(message, properties),
      ack: () => this.#ack(deliveryTag),
    });
  }

  #ack(tag: number): void {
    if (!this.#held.delete(tag)) return;
    if (this.#acked.push(tag) === 1) this.#parts.env.timers.soon(() => this.#flush());
  }

  #flush(): void {
    if (this.#link.isOver || this.#acked.length === 0) return;
    const acked = this.#acked;
    this.#acked = [];
    const { value: oldest = Number.POSITIVE_INFINITY } = this.#held.values().next();
    sendAcks(this.#channel, acked, oldest);
  }

  pause(): void {
    const tag = this.#consumerTag;
    if (tag === undefined || this.#link.isOver) return;
    this.#consumerTag = undefined;
    // What still comes is not acknowledged, and goes back with the channel.
    this.#channel.cancel(tag).catch(() => undefined);
  }

  async isEmpty(): Promise<boolean> {
    const { queue } = this.#parts;
    if ((await this.#channel.checkQueue(queue)).messageCount > 0) return false;
    // What had left the queue when it was counted is on its way to us, and comes before the second answer.
    return (await this.#channel.checkQueue(queue)).messageCount === 0;
  }

  async close(): Promise<void> {
    this.pause();
    this.#flush();
    await this.#link.close();
  }
}
