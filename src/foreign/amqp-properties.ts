/** What AMQP says of a message beside its headers, as far as it can be asked for. */
const READABLE = [
  "routingKey",
  "exchange",
  "messageId",
  "correlationId",
  "replyTo",
  "type",
  "appId",
  "contentType",
  "contentEncoding",
  "timestamp",
  "priority",
  "expiration",
  "redelivered",
] as const;
export type ReadableProperty = (typeof READABLE)[number];

/** What a message can be given beside its headers; see RabbitMQ's own documentation for what each does. */
export interface MessageProperties {
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly type?: string;
  readonly appId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  /** 0 to 255; queues have fewer levels. */
  readonly priority?: number;
  /** Milliseconds after which RabbitMQ may throw the message away. */
  readonly expiration?: number;
  /** Seconds since 1970. */
  readonly timestamp?: number;
  /** Kept over a restart of the broker, in a durable queue. Default true. */
  readonly persistent?: boolean;
}

export function isReadable(name: unknown): name is ReadableProperty {
  return (READABLE as readonly unknown[]).includes(name);
}

export const READABLE_NAMES = READABLE.join(", ");
