import { inputPortOf } from "../definition/input-port.ts";
import type { Logger } from "../definition/logger.ts";
import { oneOf, wholeNumber } from "../definition/option-rules.ts";
import { PUSH, type Push } from "../definition/push.ts";
import { group, optional, readOptions, standard } from "../definition/rule.ts";
import { sourceEnv } from "../definition/source-env.ts";
import { ensureError } from "../errors.ts";
import { beyondHelp, codecOf, PROBLEM } from "./codec.ts";
import { resolveCredentials } from "./credentials.ts";
import type { QueueDoor } from "./queue-door.ts";
import { checkQueue, type FromQueueOptions } from "./queue-options.ts";

const OPTIONS = group({
  prefetch: standard(wholeNumber(1), 1_000, "So many messages at most are in hand and not acknowledged."),
  until: optional(oneOf("empty"), "When the source ends by itself."),
});

/** The part of a context that its setup needs. */
interface DoorContext {
  readonly pipeline: string;
  readonly stage: string;
  readonly log: Logger;
}

/**
 * A source that reads a queue which other programs own: one message, one item. A message is acknowledged when its item
 * is durable here, so none is lost; after a crash those that were in hand may come twice. One that does not decode
 * becomes a dead letter with its bytes; repaired there, or after a fix of the codec, it is replayed.
 *
 * The source waits for messages until the run is stopped, or with `until: "empty"` ends when there are no more. When the
 * broker is away it waits for it. Headers of a message are `ctx.item.headers` of the stages that the source leads to.
 *
 * ```ts
 * const orders = p.source("orders", fromQueue<Order>("redis://127.0.0.1", { stream: "orders" }));
 * ```
 *
 * Needs the client library of the broker: for RabbitMQ `npm install amqplib`, for Redis `npm install ioredis`, for NATS
 * `npm install @nats-io/transport-node @nats-io/jetstream`. A NATS subject without a stream is read and written at most
 * once: NATS keeps nothing of it.
 *
 * @param url `amqp://[user:password@]host[:port][/vhost]`, `amqps://…`, `redis://[user:password@]host[:port][/database]`, `rediss://…`, `nats://[user:password@]host[:port]`
 * @throws DefinitionError MR_BAD_OPTION. A broker that refuses us fails the source's setup.
 */
export function fromQueue(
  url: string,
  options: FromQueueOptions<string> & { readonly codec: "text" },
): Push<string>;
export function fromQueue(
  url: string,
  options: FromQueueOptions<Uint8Array> & { readonly codec: "bytes" },
): Push<Uint8Array>;
export function fromQueue<T>(url: string, options: FromQueueOptions<T>): Push<T>;
export function fromQueue<T>(url: string, options: FromQueueOptions<T>): Push<T> {
  const { driver, options: given, subject } = checkQueue("from", url, options);
  const { prefetch, until } = readOptions(OPTIONS, { prefetch: given.prefetch, until: given.until }, subject);
  const decode = codecOf(given.codec, "decode", subject);
  const source = {
    async setup(ctx: DoorContext): Promise<QueueDoor | undefined> {
      const port = inputPortOf(ctx, `source ${ctx.stage}: fromQueue()`);
      if (port === undefined) return undefined;
      const [{ QueueDoor: Door }, queues] = await Promise.all([import("./queue-door.ts"), driver.load()]);
      const env = sourceEnv(ctx, subject);
      const side = queues.reader(env, url, {
        options: given,
        pipeline: ctx.pipeline,
        node: ctx.stage,
        prefetch,
        credentials: resolveCredentials(given.credentials, subject),
      });
      const door = new Door({ env, port, log: ctx.log, side, endsWhenEmpty: until === "empty" });
      await door.open();
      return door;
    },
    // n.b. the items of the source's own stream are messages as they came: decoding is its call, and fails as calls do.
    run(body: Uint8Array, ctx: { readonly item: { readonly headers: Readonly<Record<string, string>> } }) {
      const { headers } = ctx.item;
      const problem = headers[PROBLEM];
      if (problem !== undefined) throw beyondHelp("MR_NOT_DECODABLE", `${subject}: ${problem}`);
      try {
        return decode(body, headers);
      } catch (error) {
        const { message } = ensureError(error);
        throw beyondHelp("MR_NOT_DECODABLE", `${subject}: a message does not decode: ${message}`, error);
      }
    },
    async teardown(door: QueueDoor | undefined) {
      await door?.close();
    },
    [PUSH]: true,
  };
  return source as unknown as Push<T>;
}
