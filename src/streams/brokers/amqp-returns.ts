import type { Channel } from "amqplib";

/** The messages of a channel that found no queue: RabbitMQ says so just before it confirms them. */
export class AmqpReturns {
  readonly #names = new Set<string>();

  constructor(channel: Channel) {
    channel.on("return", ({ fields, properties }) => {
      const { routingKey } = fields as { routingKey: string };
      this.#names.add(nameOf(routingKey, String(properties.messageId)));
    });
  }

  get isNone(): boolean {
    return this.#names.size === 0;
  }

  /** Whether this one came back; to be asked once. */
  take(routingKey: string, messageId: string): boolean {
    return this.#names.delete(nameOf(routingKey, messageId));
  }
}

const nameOf = (routingKey: string, messageId: string): string => `${messageId} ${routingKey}`;
