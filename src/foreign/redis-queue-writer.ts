import type { Redis } from "ioredis";
import type { Timer } from "../env/env.ts";
import { ensureError, type StreamError } from "../errors.ts";
import { engineError } from "../streams/brokers/engine-error.ts";
import { connectRedis, redisProblem } from "../streams/brokers/redis-connection.ts";
import { redisServerFacts } from "../streams/brokers/redis-server-facts.ts";
import type { ForeignWriter, LinkEvents, OutgoingMessage } from "./foreign-driver.ts";
import type { RedisAccess, ToRedisSettings } from "./redis-queues.ts";
import { SILENCE_MS } from "./redis-stream-reader.ts";

const BEAT_MS = 3_000;
const NO_ROOM = /^(OOM|MISCONF|NOREPLICAS)\b/;

export interface RedisWriterOptions extends RedisAccess {
  readonly options: ToRedisSettings;
  readonly events: LinkEvents;
  readonly timeoutMs: number;
}

/** Writes to a Redis stream or list. */
export class RedisQueueWriter implements ForeignWriter {
  readonly server: string;
  readonly maxBodyBytes: number;
  readonly #client: Redis;
  readonly #options: ToRedisSettings;
  readonly #events: LinkEvents;
  readonly #beat: Timer;
  #isOver = false;

  private constructor(
    client: Redis,
    facts: { readonly server: string; readonly maxValueBytes: number },
    { env, options, events }: RedisWriterOptions,
  ) {
    this.server = facts.server;
    this.maxBodyBytes = facts.maxValueBytes;
    this.#client = client;
    this.#options = options;
    this.#events = events;
    this.#beat = env.timers.every(BEAT_MS, () => void client.ping().catch(() => undefined));
  }

  static async open(given: RedisWriterOptions): Promise<RedisQueueWriter> {
    const { env, address, tls, timeoutMs } = given;
    let writer: RedisQueueWriter | undefined;
    const client = await connectRedis(env, address, { tls, timeoutMs, silenceMs: SILENCE_MS }, (problem) =>
      writer?.lose(problem),
    );
    try {
      writer = new RedisQueueWriter(client, await redisServerFacts(client, address), given);
      return writer;
    } catch (error) {
      client.disconnect();
      throw redisProblem(address.shown, ensureError(error));
    }
  }

  async send({ body, headers }: OutgoingMessage): Promise<void> {
    const { stream, list, side, field, maxLength } = this.#options;
    try {
      if (list !== undefined) {
        await (side === "left" ? this.#client.lpush(list, body) : this.#client.rpush(list, body));
        return;
      }
      const limit = maxLength === undefined ? [] : ["MAXLEN", "~", maxLength];
      const others = Object.entries(headers).filter(([name]) => name !== field);
      await this.#client.call("XADD", [stream as string, ...limit, "*", field, body, ...others.flat()]);
    } catch (error) {
      throw this.#refusal(ensureError(error));
    }
  }

  #refusal(error: Error): StreamError {
    const name = this.#options.stream ?? this.#options.list ?? "";
    if (NO_ROOM.test(error.message)) return engineError.full(this.server, name, error);
    if (error.message.startsWith("WRONGTYPE")) return engineError.queueDiffers(this.server, name, error);
    const problem = redisProblem(this.server, error);
    if (error.message.startsWith("READONLY")) this.lose(problem);
    return problem;
  }

  lose(problem: StreamError): void {
    if (this.#isOver) return;
    this.#end();
    this.#events.lost(problem);
  }

  async close(): Promise<void> {
    if (!this.#isOver) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#beat.cancel();
    this.#client.disconnect();
  }
}
