import type { ConsumeMessage, Options } from "amqplib";
import { describeValue } from "../errors.ts";
import { beyondHelp } from "./codec.ts";

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

const WRITABLE: Readonly<Record<keyof MessageProperties, string>> = {
  messageId: "string",
  correlationId: "string",
  replyTo: "string",
  type: "string",
  appId: "string",
  contentType: "string",
  contentEncoding: "string",
  priority: "number",
  expiration: "number",
  timestamp: "number",
  persistent: "boolean",
};

export function isReadable(name: unknown): name is ReadableProperty {
  return (READABLE as readonly unknown[]).includes(name);
}

export const READABLE_NAMES = READABLE.join(", ");

/** A message's headers as texts, and those of its properties that are asked for, under their own names. */
export function headersIn(
  { properties, fields }: ConsumeMessage,
  wanted: readonly ReadableProperty[],
): Record<string, string> {
  const plain: Record<string, string> = {};
  const headers = (properties.headers ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, value] of Object.entries(headers)) plain[name] = asText(value);
  const all: Readonly<Record<string, unknown>> = { ...properties, ...fields };
  for (const name of wanted) if (all[name] !== undefined) plain[name] = asText(all[name]);
  return plain;
}

/** Headers that mean something to RabbitMQ itself, which takes them in no other form than its own. */
const OF_BROKER = /^(CC|BCC|x-death|x-(first|last)-death-.*|x-delivery-count|x-received-from)$/;

/** The headers of a message to be sent, without those that it may have from another queue of RabbitMQ. */
export function headersOut(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_BROKER.test(name)));
}

/** n.b. AMQP's headers have types of many kinds, tables within tables among them; ours are texts. */
function asText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Buffer.isBuffer(value)) return value.toString();
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}

/** Checked properties in the client's form. Throws what makes of an item a dead letter. */
export function propertiesOut(given: unknown): Options.Publish {
  if (given === undefined) return {};
  if (typeof given !== "object" || given === null) throw noProperties(`it gave ${describeValue(given)}`);
  for (const [name, value] of Object.entries(given)) {
    const type = WRITABLE[name as keyof MessageProperties];
    if (type === undefined)
      throw noProperties(`there is no ${name}, there are ${Object.keys(WRITABLE).join(", ")}`);
    if (value !== undefined && typeof value !== type)
      throw noProperties(`${name} must be a ${type}, got ${describeValue(value)}`);
    if (typeof value === "number" && !(value >= 0 && Number.isSafeInteger(value)))
      throw noProperties(`${name} must be a whole number of at least 0, got ${value}`);
  }
  const { priority } = given as MessageProperties;
  if (priority !== undefined && priority > 255) throw noProperties("priority must be at most 255");
  return given as Options.Publish;
}

function noProperties(problem: string): Error {
  return beyondHelp("MR_NOT_ENCODABLE", `toQueue(): properties(): ${problem}; give an object of properties`);
}
