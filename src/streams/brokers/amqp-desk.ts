import type { Channel, ChannelModel } from "amqplib";

/**
 * Questions and commands about queues, one after another on a channel of their own: RabbitMQ answers a wrong one by
 * closing its channel, which would take with it whatever else were in flight there.
 */
export class AmqpDesk {
  readonly #connection: ChannelModel;
  #channel: Channel | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: ChannelModel) {
    this.#connection = connection;
  }

  /** Resolves or rejects as `ask` does, when it has had its turn. */
  run<T>(ask: (channel: Channel) => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => ask(this.#channel ?? (await this.#open())));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #open(): Promise<Channel> {
    const channel = await this.#connection.createChannel();
    // The question that it answers is rejected with the reason.
    channel.on("error", () => undefined);
    channel.on("close", () => {
      this.#channel = undefined;
    });
    this.#channel = channel;
    return channel;
  }
}
