import { flag, oneOf, wholeNumber } from "../definition/option-rules.ts";
import { group, optional, readOptions, rule, standard } from "../definition/rule.ts";
import type { Env } from "../env/env.ts";
import { type RedisAddress, redisAddress } from "../streams/brokers/redis-address.ts";
import type { ForeignDriver, ForeignSettings } from "./foreign-driver.ts";
import { ownOf } from "./own-of.ts";
import { RedisListReader } from "./redis-list-reader.ts";
import { RedisQueueWriter } from "./redis-queue-writer.ts";
import { RedisStreamReader } from "./redis-stream-reader.ts";

const text = rule("a text that is not empty", (value) =>
  typeof value === "string" && value !== "" ? value : undefined,
);
const pem = rule("the content of a PEM file", (value) =>
  typeof value === "string" && value.includes("-----BEGIN ") ? value : undefined,
);
const TLS = {
  ca: optional(pem, "The authority to trust."),
  cert: optional(pem, "Our certificate."),
  key: optional(pem, "Its key."),
};
const FROM = group({
  ...TLS,
  stream: optional(text, "A stream."),
  group: optional(text, "Its consumer group."),
  start: standard(oneOf("first", "new"), "first", "Where a new group begins."),
  field: standard(text, "data", "The field that is decoded."),
  remove: standard(flag, false, "Whether entries are removed."),
  list: optional(text, "A list."),
  side: standard(oneOf("left", "right"), "left", "The end from which it is taken."),
});
const TO = group({
  ...TLS,
  stream: optional(text, "A stream."),
  field: standard(text, "data", "The field that holds the item."),
  maxLength: optional(wholeNumber(1), "About how many entries the stream keeps."),
  list: optional(text, "A list."),
  side: standard(oneOf("left", "right"), "right", "The end at which it is put."),
});

export type FromRedisSettings = ReturnType<typeof FROM.read>;
export type ToRedisSettings = ReturnType<typeof TO.read>;

/** Where the server is and how it is talked to. */
export interface RedisAccess {
  readonly env: Env;
  readonly address: RedisAddress;
  readonly tls: Readonly<Record<string, string>>;
}

/** Redis's streams and lists as queues that other programs own. */
export const redisQueues: ForeignDriver = {
  reader(env, url, settings) {
    const access = accessOf(env, url, settings);
    const options = readOptions(FROM, ownOf(settings, FROM), `source ${settings.node}: fromQueue()`);
    return {
      address: access.address.shown,
      connect: (events, timeoutMs) => {
        const with_ = { ...tlsOf(access, options), options, settings, events, timeoutMs };
        return options.list === undefined ? RedisStreamReader.open(with_) : RedisListReader.open(with_);
      },
    };
  },
  writer(env, url, settings) {
    const access = accessOf(env, url, settings);
    const options = readOptions(TO, ownOf(settings, TO), `sink ${settings.node}: toQueue()`);
    return {
      address: access.address.shown,
      connect: (events, timeoutMs) =>
        RedisQueueWriter.open({ ...tlsOf(access, options), options, events, timeoutMs }),
    };
  },
};

function accessOf(env: Env, url: string, { credentials }: ForeignSettings): RedisAccess {
  const address = redisAddress(url);
  if (credentials === undefined) return { env, address, tls: {} };
  const { user, password } = credentials;
  return { env, address: { ...address, user: user === "" ? undefined : user, password }, tls: {} };
}

function tlsOf(
  access: RedisAccess,
  given: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  },
): RedisAccess {
  const { ca, cert, key } = given;
  return { ...access, tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } };
}
