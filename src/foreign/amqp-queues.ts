import { flag } from "../definition/option-rules.ts";
import { group, optional, readOptions, rule, standard } from "../definition/rule.ts";
import type { Env } from "../env/env.ts";
import { DefinitionError, ensureError } from "../errors.ts";
import { connectAmqp, discard } from "../streams/brokers/amqp-connect.ts";
import { type AmqpSettings, amqpSettings } from "../streams/brokers/amqp-settings.ts";
import type { AmqpLinkParts } from "./amqp-link.ts";
import { isReadable, READABLE_NAMES, type ReadableProperty } from "./amqp-properties.ts";
import { AmqpQueueReader } from "./amqp-queue-reader.ts";
import { AmqpQueueWriter, someLimits } from "./amqp-queue-writer.ts";
import type {
  ForeignDriver,
  ForeignLink,
  ForeignReader,
  ForeignSettings,
  ForeignSide,
  ForeignWriter,
  LinkEvents,
} from "./foreign-driver.ts";
import { ownOf, pemsOf } from "./own-of.ts";

/** RabbitMQ's count of messages in a consumer's hands is a number of 16 bits. */
const MOST_IN_HANDS = 65_535;

const name = rule("a name of 1 to 255 bytes", (value) =>
  typeof value === "string" && value !== "" && Buffer.byteLength(value) <= 255 ? value : undefined,
);
const exchangeName = rule('the name of an exchange, "" for the default one', (value) =>
  typeof value === "string" && Buffer.byteLength(value) <= 255 ? value : undefined,
);
const key = rule("a text, or a function from an item to one", (value) =>
  typeof value === "string" || typeof value === "function"
    ? (value as string | ((item: unknown) => unknown))
    : undefined,
);
const names = rule(`a list of ${READABLE_NAMES}`, (value) =>
  Array.isArray(value) && value.every(isReadable) ? (value as readonly ReadableProperty[]) : undefined,
);
const maker = rule("a function from an item to an object of properties", (value) =>
  typeof value === "function" ? (value as (item: unknown) => unknown) : undefined,
);

const FROM = group({
  queue: optional(name, "A queue."),
  properties: standard(names, [], "Properties of a message that join its headers."),
});
const TO = group({
  queue: optional(name, "A queue."),
  exchange: optional(exchangeName, "An exchange."),
  routingKey: standard(key, "", "The routing key of a message."),
  mandatory: standard(flag, true, "Whether a message that finds no queue fails its item."),
  properties: optional(maker, "What a message is given beside its headers."),
});
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  json: "application/json",
  text: "text/plain",
  bytes: "application/octet-stream",
};

/** RabbitMQ's queues and exchanges as queues that other programs own. */
export const amqpQueues: ForeignDriver = {
  reader(env, url, settings) {
    const place = `source ${settings.node}: fromQueue()`;
    const { queue, properties } = readOptions(FROM, ownOf(settings, FROM), place);
    const { prefetch } = settings;
    if (prefetch > MOST_IN_HANDS) throw bad(place, `prefetch may be ${MOST_IN_HANDS} at most`);
    return sideOf<ForeignReader>(env, accessOf(url, settings, place), "reading", (link) =>
      AmqpQueueReader.open({ ...link, queue: queue as string, properties, prefetch }),
    );
  },
  writer(env, url, settings) {
    const place = `sink ${settings.node}: toQueue()`;
    const { queue, exchange, routingKey, mandatory, properties } = readOptions(
      TO,
      ownOf(settings, TO),
      place,
    );
    const isDefault = exchange === undefined || exchange === "";
    if (queue === undefined && isDefault && routingKey === "")
      throw bad(place, "the default exchange needs a routingKey, the name of a queue");
    const { codec = "json" } = settings.options;
    const parts = {
      exchange: isDefault ? undefined : exchange,
      routingKey: queue ?? routingKey,
      mandatory,
      properties,
      contentType: typeof codec === "string" ? CONTENT_TYPES[codec] : undefined,
      limits: someLimits(),
    };
    return sideOf<ForeignWriter>(env, accessOf(url, settings, place), "writing", (link) =>
      AmqpQueueWriter.open({ ...link, ...parts }),
    );
  },
};

function sideOf<Link extends ForeignLink>(
  env: Env,
  access: AmqpSettings,
  purpose: string,
  open: (parts: AmqpLinkParts) => Promise<Link>,
): ForeignSide<Link> {
  return {
    address: access.address,
    async connect(events: LinkEvents, timeoutMs: number) {
      const connection = await connectAmqp(env, access, purpose, timeoutMs);
      try {
        return await open({ env, connection, host: `${access.host}:${access.port}`, events });
      } catch (error) {
        discard(connection);
        throw error;
      }
    },
  };
}

function accessOf(url: string, given: ForeignSettings, place: string): AmqpSettings {
  for (const name of new URL(url).searchParams.keys())
    if (name !== "heartbeatSeconds") throw bad(place, `its URL may carry heartbeatSeconds, not ${name}`);
  const settings = settingsOf(url, pemsOf(given), place);
  const { credentials } = given;
  if (credentials === undefined) return settings;
  const user = credentials.user === "" ? settings.user : credentials.user;
  const address = settings.address.replace(`//${settings.user}@`, () => `//${user}@`);
  return { ...settings, user, password: credentials.password, address };
}

function settingsOf(url: string, options: Readonly<Record<string, unknown>>, place: string): AmqpSettings {
  try {
    return amqpSettings(url, options);
  } catch (error) {
    throw bad(place, ensureError(error).message.replace(/^streams: /, ""));
  }
}

function bad(place: string, problem: string): DefinitionError {
  return new DefinitionError("MR_BAD_OPTION", `${place}: ${problem}`);
}
