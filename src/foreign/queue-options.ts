import { DefinitionError } from "../errors.ts";
import type { MessageProperties, ReadableProperty } from "./amqp-properties.ts";
import type { CodecOption } from "./codec.ts";
import { type Credentials, checkCredentials } from "./credentials.ts";
import { FOREIGN_DRIVERS, type KnownDriver, type QueueChoice } from "./drivers.ts";

/** What both directions may be told. */
export interface QueueAccess {
  /** In place of user and password in the URL: `secret("ORDERS_MQ")`, or both in plain. */
  readonly credentials?: Credentials;
  /** The authority to trust with TLS: the content of a PEM file. */
  readonly ca?: string;
  /** Our certificate and its key, as `ca`. */
  readonly cert?: string;
  readonly key?: string;
}

/** Which queue of RabbitMQ is read. */
export interface FromAmqp {
  /** RabbitMQ: a queue, which must be there. */
  readonly queue?: string;
  /** What joins the headers of a message, under these names: `["routingKey", "type", "messageId"]`. Default: none. */
  readonly properties?: readonly ReadableProperty[];
}

/** Where RabbitMQ is written to. */
export interface ToAmqp<T> {
  /** RabbitMQ: a queue, by the default exchange, or … */
  readonly queue?: string;
  /** … an exchange, which must be there; `""` is the default one, whose routing keys are names of queues. */
  readonly exchange?: string;
  /** The routing key of each message. Default `""`. */
  readonly routingKey?: string | ((item: T) => string);
  /** Whether a message that finds no queue fails its item; with false RabbitMQ drops it. Default true. */
  readonly mandatory?: boolean;
  /** What a message has beside its headers. Default: the item's id as `messageId`, a `contentType` by the codec, persistent. */
  readonly properties?: (item: T) => MessageProperties;
}

/** Which queue of a broker is read. */
export interface FromRedis {
  /** Redis: a stream, read by a consumer group, or … */
  readonly stream?: string;
  /** The consumer group; it is created where it is missing. Default: `millrace.` and the pipeline's name. */
  readonly group?: string;
  /** Where a group that is created begins: with the first entry of the stream or with what comes. Default `"first"`. */
  readonly start?: "first" | "new";
  /** The field of an entry that is decoded; the others are headers. `"*"`: all of them, an object of texts. Default `"data"`. */
  readonly field?: string;
  /** Entries are removed from the stream when they are durable here, not only acknowledged. Default false. */
  readonly remove?: boolean;
  /** … a list, each element a message. */
  readonly list?: string;
  /** The end of the list from which it is taken. Default `"left"`. */
  readonly side?: "left" | "right";
}

/** Which queue of NATS is read, where a name means something else than with Redis. */
export interface FromNats {
  /** NATS: a stream of JetStream, read by a durable consumer, or … */
  readonly stream?: string;
  /** The consumer; it is created where it is missing. Default: `millrace_<pipeline>_<source>`. */
  readonly consumer?: string;
  /** A consumer that is created gets only messages of these subjects: `"orders.*.new"`. Default: all of the stream. */
  readonly filter?: string;
  /** … a subject, `"orders.>"`: what is published while the source runs, at most once. */
  readonly subject?: string;
  /** The queue group of a subject: each message goes to one of its members. Default: none. */
  readonly group?: string;
}

/** Which queue of NATS is written to. */
export interface ToNats<T> {
  /** NATS: the subject of each message. */
  readonly subject?: string | ((item: T) => string);
  /** The stream of JetStream that must store it. Default: none, and who listens gets it, at most once. */
  readonly stream?: string;
}

/** Which queue of a broker is written to. */
export interface ToRedis {
  /** Redis: a stream; headers become further fields of an entry. */
  readonly stream?: string;
  /** The field that holds the encoded item. Default `"data"`. */
  readonly field?: string;
  /** About how many entries the stream keeps; older ones go. Default: all. */
  readonly maxLength?: number;
  /** A list, each element an encoded item; headers are left out. */
  readonly list?: string;
  /** The end of the list at which it is put. Default `"right"`. */
  readonly side?: "left" | "right";
}

export interface FromQueueOptions<T> extends QueueAccess, FromAmqp, FromRedis, FromNats {
  /** How a message becomes an item. Default `"json"`. */
  readonly codec?: CodecOption<T>;
  /** So many messages at most are in hand and not acknowledged. Default 1,000. */
  readonly prefetch?: number;
  /** `"empty"`: the source ends when the queue holds nothing more. Default: it waits for messages until it is stopped. */
  readonly until?: "empty";
}

export interface ToQueueOptions<T> extends QueueAccess, ToAmqp<T>, ToRedis, ToNats<T> {
  /** How an item becomes a message. Default `"json"`. */
  readonly codec?: CodecOption<T>;
  /** The headers of an item's message. Default: those that the item has (`ctx.item.headers`). */
  readonly headers?: (item: T) => Readonly<Record<string, string>>;
}

const COMMON = ["credentials", "ca", "cert", "key", "codec"];
const OF_FROM = [...COMMON, "prefetch", "until"];
const OF_TO = [...COMMON, "headers"];

/** The driver for a URL, when all options that were given fit one way to name a queue. Throws DefinitionError MR_BAD_OPTION. */
export function checkQueue(
  verb: "from" | "to",
  url: unknown,
  options: unknown,
): {
  readonly driver: KnownDriver;
  readonly options: Readonly<Record<string, unknown>>;
  readonly subject: string;
} {
  const call = `${verb}Queue()`;
  const scheme = typeof url === "string" && URL.canParse(url) ? new URL(url).protocol : "";
  const driver = FOREIGN_DRIVERS[scheme];
  if (driver === undefined) {
    const known = Object.keys(FOREIGN_DRIVERS).map((name) => `${name}//`);
    throw bad(
      call,
      `its URL must begin with ${known.join(" or ")}${scheme === "" ? "" : `, not ${scheme}//`}`,
    );
  }
  const subject = `${verb}Queue(${withoutUser(url as string)})`;
  if (typeof options !== "object" || options === null)
    throw bad(subject, `options that name the queue are needed: ${waysOf(driver[verb])}`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const names = given.map(([name]) => name);
  const choices = driver[verb].filter(({ needs }) => needs.every((name) => names.includes(name)));
  const [choice] = choices;
  if (choice === undefined || choices.length > 1)
    throw bad(subject, `exactly one of these must name the queue: ${waysOf(driver[verb])}`);
  const allowed = [...choice.needs, ...(choice.may ?? []), ...(verb === "from" ? OF_FROM : OF_TO)];
  const unknown = names.find((name) => !allowed.includes(name));
  if (unknown !== undefined)
    throw bad(subject, `there is no option ${unknown} here; there are ${allowed.join(", ")}`);
  for (const name of choice.needs) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value === "" && choice.mayBeEmpty?.includes(name) !== true)
      throw bad(subject, `${name} is empty; name the queue`);
  }
  const read = Object.fromEntries(given);
  checkCredentials(read.credentials, subject);
  return { driver, options: read, subject };
}

function waysOf(choices: readonly QueueChoice[]): string {
  return choices.map(({ needs }) => needs.join(" with ")).join(", ");
}

/** n.b. what stands before the host may be a password; without a host all of it may. */
function withoutUser(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return host === "" ? `${protocol}…` : `${protocol}//${host}${pathname}`;
}

function bad(subject: string, problem: string): DefinitionError {
  return new DefinitionError("MR_BAD_OPTION", `${subject}: ${problem}`);
}
