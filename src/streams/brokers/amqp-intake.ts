import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import type { Env } from "../../env/env.ts";
import { ensureError } from "../../errors.ts";
import { sendAcks } from "./amqp-acks.ts";
import type { Arrival, Intake } from "./broker.ts";

/** RabbitMQ's count of messages in a consumer's hands is a number of 16 bits. */
const MOST_IN_HANDS = 65_535;
/** When a limit has been raised so often, one consumer takes the place of all. */
const MOST_CONSUMERS = 6;

interface Consumer {
  readonly tag: string;
  /** How many messages RabbitMQ lets it have. */
  readonly share: number;
  held: number;
  /** One that is being cancelled may still get all of its share. */
  state: "live" | "cancelling" | "cancelled";
}

/**
 * One queue's messages, on a channel of its own.
 *
 * I1 The limit of a RabbitMQ consumer is fixed when it begins, and one over a whole channel is neither known to quorum
 *    queues nor long for RabbitMQ 4. So a limit is kept by several consumers on one channel, which keeps the order:
 *    one more when it is raised, the newest fewer when it is lowered. What cancelled ones hold counts.
 * I2 Acknowledgements leave once a turn of the loop: one for all up to the oldest message that is still in our hands,
 *    one each for those above it.
 * I3 RabbitMQ closes a channel on which a message is held for long (half an hour by default), and hands its messages
 *    out again: a new channel takes its place.
 */
export class AmqpIntake implements Intake {
  readonly #env: Env;
  readonly #connection: ChannelModel;
  readonly #queue: string;
  readonly #onArrival: (arrival: Arrival) => void;
  readonly #onLost: (problem: Error) => void;
  #channel: Channel | undefined;
  #consumers: Consumer[] = [];
  #tags = 0;
  #limit = 0;
  #isClosed = false;
  /** Tags of the messages in our hands, oldest first. */
  #held = new Map<number, Consumer>();
  #acked: number[] = [];

  constructor(
    env: Env,
    connection: ChannelModel,
    queue: string,
    onArrival: (arrival: Arrival) => void,
    onLost: (problem: Error) => void,
  ) {
    this.#env = env;
    this.#connection = connection;
    this.#queue = queue;
    this.#onArrival = onArrival;
    this.#onLost = onLost;
    void this.#open();
  }

  async #open(): Promise<void> {
    try {
      const channel = await this.#connection.createChannel();
      this.#consumers = [];
      this.#held = new Map();
      this.#acked = [];
      let hasHeldLong = false;
      let problem: Error | undefined;
      channel.on("error", (error: Error) => {
        hasHeldLong = /delivery acknowledgement on channel \d+ timed out/.test(error.message);
        problem = error;
      });
      channel.on("close", () => {
        if (this.#channel !== channel) return;
        this.#channel = undefined;
        if (hasHeldLong) void this.#open();
        else this.#onLost(problem ?? new Error(`the channel of queue ${this.#queue} was closed`));
      });
      this.#channel = channel;
      this.#share();
      this.#closeWhenDone();
    } catch (error) {
      this.#onLost(ensureError(error));
    }
  }

  limit(messages: number): void {
    this.#limit = Math.min(messages, MOST_IN_HANDS);
    this.#share();
  }

  close(): void {
    this.#isClosed = true;
    this.limit(0);
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    const channel = this.#channel;
    if (!this.#isClosed || channel === undefined || this.#held.size > 0 || this.#acked.length > 0) return;
    this.#channel = undefined;
    // n.b. what is on its way to us was never handed out: RabbitMQ keeps it.
    channel.close().catch(() => undefined);
  }

  /** Makes the consumers' shares add up to the limit (I1). */
  #share(): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    // As it will be when those that are being cancelled get no more.
    let later = 0;
    for (const { state, share, held } of this.#consumers) later += state === "live" ? share : held;
    while (later > this.#limit) {
      const newest = this.#consumers.findLast(({ state }) => state === "live");
      if (newest === undefined) break;
      later -= newest.share - newest.held;
      this.#cancel(channel, newest);
    }
    let room = this.#limit;
    for (const { state, share, held } of this.#consumers) room -= state === "cancelled" ? held : share;
    if (room <= 0) return;
    const live = this.#consumers.filter(({ state }) => state === "live");
    // While cancelled ones still hold messages, room comes back one by one: not a consumer for each.
    if (live.length > 0 && live.length < this.#consumers.length && room * 4 < this.#limit) return;
    if (live.length < MOST_CONSUMERS) this.#begin(channel, room);
    else for (const consumer of live) this.#cancel(channel, consumer);
  }

  #begin(channel: Channel, share: number): void {
    const consumer: Consumer = { tag: `${++this.#tags}`, share, held: 0, state: "live" };
    this.#consumers.push(consumer);
    // A failure closes the channel, which is heard there.
    channel.prefetch(share).catch(() => undefined);
    const onMessage = (message: ConsumeMessage | null) => {
      if (message !== null) this.#arrived(channel, consumer, message);
      else if (consumer.state === "live")
        this.#onLost(new Error(`queue ${this.#queue} was removed at the broker`));
    };
    channel.consume(this.#queue, onMessage, { consumerTag: consumer.tag }).catch(() => undefined);
  }

  #cancel(channel: Channel, consumer: Consumer): void {
    consumer.state = "cancelling";
    const onCancelled = () => {
      if (channel !== this.#channel) return;
      consumer.state = "cancelled";
      this.#forgetIfDone(consumer);
      this.#share();
    };
    channel.cancel(consumer.tag).then(onCancelled, () => undefined);
  }

  #forgetIfDone(consumer: Consumer): void {
    if (consumer.state === "cancelled" && consumer.held === 0)
      this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  #arrived(channel: Channel, consumer: Consumer, { fields, properties, content }: ConsumeMessage): void {
    if (channel !== this.#channel) return;
    const tag = fields.deliveryTag;
    consumer.held++;
    this.#held.set(tag, consumer);
    this.#onArrival(new AmqpArrival(numberOf(properties.messageId), content, () => this.#ack(channel, tag)));
  }

  #ack(channel: Channel, tag: number): void {
    // n.b. a tag means something on its own channel alone.
    const consumer = channel === this.#channel ? this.#held.get(tag) : undefined;
    if (consumer === undefined) return;
    this.#held.delete(tag);
    consumer.held--;
    if (this.#acked.push(tag) === 1) this.#env.timers.soon(() => this.flush());
    if (consumer.state !== "cancelled") return;
    this.#forgetIfDone(consumer);
    this.#share();
  }

  /** Sends the acknowledgements that wait for the end of this turn. */
  flush(): void {
    const channel = this.#channel;
    if (channel === undefined || this.#acked.length === 0) return;
    const acked = this.#acked;
    this.#acked = [];
    const { value: oldest = Number.POSITIVE_INFINITY } = this.#held.keys().next();
    sendAcks(channel, acked, oldest);
    this.#closeWhenDone();
  }
}

class AmqpArrival implements Arrival {
  readonly number: number | undefined;
  readonly bytes: Buffer;
  readonly ack: () => void;

  constructor(number: number | undefined, bytes: Buffer, ack: () => void) {
    this.number = number;
    this.bytes = bytes;
    this.ack = ack;
  }
}

function numberOf(messageId: unknown): number | undefined {
  if (typeof messageId !== "string" || !/^\d{1,16}$/.test(messageId)) return undefined;
  const number = Number(messageId);
  return Number.isSafeInteger(number) ? number : undefined;
}
