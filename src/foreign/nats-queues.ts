import { oneOf } from "../definition/option-rules.ts";
import { group, optional, readOptions, rule, standard } from "../definition/rule.ts";
import type { Env } from "../env/env.ts";
import { DefinitionError } from "../errors.ts";
import { connectNats, type DialedNats } from "../streams/brokers/nats-connect.ts";
import { type NatsSettings, natsSettings } from "../streams/brokers/nats-settings.ts";
import type {
  ForeignDriver,
  ForeignLink,
  ForeignReader,
  ForeignSettings,
  ForeignSide,
  ForeignWriter,
  LinkEvents,
} from "./foreign-driver.ts";
import { NatsStreamReader } from "./nats-stream-reader.ts";
import { NatsStreamWriter } from "./nats-stream-writer.ts";
import { isPattern, isSubject } from "./nats-subject.ts";
import { NatsSubjectReader } from "./nats-subject-reader.ts";
import { NatsSubjectWriter } from "./nats-subject-writer.ts";
import { ownOf, pemsOf } from "./own-of.ts";

const name = rule("a name without dots, stars and spaces", (value) =>
  typeof value === "string" && /^[^\s.*>/\\]+$/.test(value) ? value : undefined,
);
const pattern = rule('a subject such as "orders.new" or "orders.>"', (value) =>
  isPattern(value) ? value : undefined,
);
const target = rule("a subject without wildcards, or a function from an item to one", (value) =>
  typeof value === "function" ? (value as (item: unknown) => unknown) : isSubject(value) ? value : undefined,
);

const FROM = group({
  stream: optional(name, "A stream of JetStream."),
  consumer: optional(name, "Its durable consumer."),
  filter: optional(pattern, "Of the stream, only messages of these subjects."),
  start: standard(oneOf("first", "new"), "first", "Where a new consumer begins."),
  subject: optional(pattern, "A subject."),
  group: optional(name, "Its queue group."),
});
const TO = group({
  subject: optional(target, "The subject of a message."),
  stream: optional(name, "The stream that takes it."),
});

export type FromNatsSettings = ReturnType<typeof FROM.read>;

/** NATS's subjects, and the streams of JetStream, as queues that other programs own. */
export const natsQueues: ForeignDriver = {
  reader(env, url, settings) {
    const place = `source ${settings.node}: fromQueue()`;
    const options = readOptions(FROM, ownOf(settings, FROM), place);
    const { stream, subject } = options;
    if (stream === undefined && settings.options.until === "empty")
      throw new DefinitionError(
        "MR_BAD_OPTION",
        `${place}: until: "empty" has no meaning for a subject, which holds nothing; give a stream, or leave it out`,
      );
    return sideOf<ForeignReader>(env, accessOf(url, settings), (dialed, events) => {
      const parts = { env, dialed, events, settings };
      return stream === undefined
        ? NatsSubjectReader.open({ ...parts, subject: subject as string, group: options.group })
        : NatsStreamReader.open({ ...parts, options, stream });
    });
  },
  writer(env, url, settings) {
    const options = readOptions(TO, ownOf(settings, TO), `sink ${settings.node}: toQueue()`);
    const { stream } = options;
    const subject = options.subject as string | ((item: unknown) => unknown);
    return sideOf<ForeignWriter>(env, accessOf(url, settings), (dialed, events) =>
      stream === undefined
        ? NatsSubjectWriter.open({ env, dialed, events, subject })
        : NatsStreamWriter.open({ env, dialed, events, subject, stream }),
    );
  },
};

function sideOf<Link extends ForeignLink>(
  env: Env,
  access: NatsSettings,
  open: (dialed: DialedNats, events: LinkEvents) => Promise<Link>,
): ForeignSide<Link> {
  return {
    address: access.address,
    connect: (events, timeoutMs) => connectNats(env, access, timeoutMs, (dialed) => open(dialed, events)),
  };
}

function accessOf(url: string, given: ForeignSettings): NatsSettings {
  const settings = natsSettings(url, pemsOf(given));
  if (given.credentials === undefined) return settings;
  const { user, password } = given.credentials;
  return { ...settings, login: user === "" ? { token: password } : { user, pass: password } };
}
