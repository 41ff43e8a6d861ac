import type { ConsumeMessage, Options } from "amqplib";
import { describeValue } from "../errors.ts";
import type { MessageProperties, ReadableProperty } from "./amqp-properties.ts";
import { beyondHelp } from "./codec.ts";

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
