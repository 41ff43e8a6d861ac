import type { Logger } from "../definition/logger.ts";
import { OWN_OPTIONS } from "../definition/own-options.ts";
import { sourceEnv } from "../definition/source-env.ts";
import type { ItemHandler } from "../definition/work.ts";
import { ensureError } from "../errors.ts";
import { beyondHelp, codecOf } from "./codec.ts";
import { resolveCredentials } from "./credentials.ts";
import { checkQueue, type ToQueueOptions } from "./queue-options.ts";
import type { QueueOutlet } from "./queue-outlet.ts";

/** As long as a broker may be away: an item waits for it, and is not failed by it. */
const LONGEST = "24d";
/** Messages on their way at a time; each waits for its confirm. */
const CONCURRENCY = 250;

interface OutletContext {
  readonly pipeline: string;
  readonly stage: string;
  readonly log: Logger;
}

interface ItemContext {
  readonly state: QueueOutlet;
  readonly signal: AbortSignal;
  readonly item: { readonly id: string; readonly headers: Readonly<Record<string, string>> };
}

/**
 * A sink that writes to a queue which other programs read: one item, one message. An item is done when the broker has
 * confirmed its message, so none is lost; after a crash those that were on their way may be there twice.
 *
 * Up to 250 messages are on their way at a time (`concurrency`). When the broker is away or full, items wait.
 * An item that does not encode, or is larger than the broker takes, becomes a dead letter.
 *
 * ```ts
 * priced.to(p.sink("out", toQueue<Priced>("redis://127.0.0.1", { stream: "priced" })));
 * ```
 *
 * Needs the client library of the broker: for RabbitMQ `npm install amqplib`, for Redis `npm install ioredis`, for NATS
 * `npm install @nats-io/transport-node @nats-io/jetstream`. A NATS subject without a stream is read and written at most
 * once: NATS keeps nothing of it.
 *
 * @param url `amqp://[user:password@]host[:port][/vhost]`, `amqps://…`, `redis://[user:password@]host[:port][/database]`, `rediss://…`, `nats://[user:password@]host[:port]`
 * @throws DefinitionError MR_BAD_OPTION. A broker that refuses us fails the sink's setup.
 */
export function toQueue<T>(
  url: string,
  options: ToQueueOptions<T>,
): ItemHandler<T, Promise<void>, unknown, QueueOutlet> {
  const { driver, options: given, subject } = checkQueue("to", url, options);
  const encode = codecOf(given.codec, "encode", subject);
  const { headers } = options;
  const sink = {
    async setup(ctx: OutletContext): Promise<QueueOutlet> {
      const [{ QueueOutlet: Outlet }, queues] = await Promise.all([
        import("./queue-outlet.ts"),
        driver.load(),
      ]);
      const env = sourceEnv(ctx, subject);
      const side = queues.writer(env, url, {
        options: given,
        pipeline: ctx.pipeline,
        node: ctx.stage,
        prefetch: 0,
        credentials: resolveCredentials(given.credentials, subject),
      });
      const outlet = new Outlet({ env, log: ctx.log, side });
      await outlet.open();
      return outlet;
    },
    async run(item: T, { state, signal, item: { id, headers: kept } }: ItemContext): Promise<void> {
      await state.send({ item, id, body: bytesOf(item), headers: headers?.(item) ?? kept }, signal);
    },
    async teardown(outlet: QueueOutlet): Promise<void> {
      await outlet.close();
    },
    [OWN_OPTIONS]: { concurrency: CONCURRENCY, timeoutMs: LONGEST },
  };
  const bytesOf = (item: T): Buffer => {
    try {
      const encoded: unknown = encode(item);
      if (typeof encoded === "string") return Buffer.from(encoded);
      if (encoded instanceof Uint8Array)
        return Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
      throw new TypeError("encode() gave back neither a text nor a Uint8Array");
    } catch (error) {
      const { message } = ensureError(error);
      throw beyondHelp("MR_NOT_ENCODABLE", `${subject}: an item does not encode: ${message}`, error);
    }
  };
  return sink as unknown as ItemHandler<T, Promise<void>, unknown, QueueOutlet>;
}
