import type { Redis } from "ioredis";
import type { Env, Timer } from "../env/env.ts";
import { ensureError, type StreamError } from "../errors.ts";
import type { Intake } from "../streams/brokers/broker.ts";
import { engineError } from "../streams/brokers/engine-error.ts";
import { connectRedis, redisProblem } from "../streams/brokers/redis-connection.ts";
import { type RedisArrival, RedisQueue } from "../streams/brokers/redis-queue.ts";
import { RedisReader } from "../streams/brokers/redis-reader.ts";
import { redisServerFacts } from "../streams/brokers/redis-server-facts.ts";
import type { ForeignMessage, ForeignReader, ForeignSettings, LinkEvents } from "./foreign-driver.ts";
import type { FromRedisSettings, RedisAccess } from "./redis-queues.ts";

/** Nothing heard for so long: the connection is given up. */
export const SILENCE_MS = 9_000;
const BEAT_MS = 3_000;

export interface RedisReaderOptions extends RedisAccess {
  readonly options: FromRedisSettings;
  readonly settings: ForeignSettings;
  readonly events: LinkEvents;
  readonly timeoutMs: number;
}

interface Parts {
  readonly env: Env;
  readonly server: string;
  readonly client: Redis;
  readonly reading: Redis;
  readonly options: FromRedisSettings;
  readonly settings: ForeignSettings;
  readonly events: LinkEvents;
}

/** Reads a Redis stream as one consumer of a group, which other programs may belong to as well. */
export class RedisStreamReader implements ForeignReader {
  readonly server: string;
  readonly #parts: Parts;
  readonly #stream: string;
  readonly #group: string;
  readonly #queue: RedisQueue;
  readonly #reader: RedisReader;
  readonly #beat: Timer;
  #intake: Intake | undefined;
  #isSending = false;
  #isOver = false;

  private constructor(parts: Parts) {
    const { env, client, reading, options, settings } = parts;
    this.server = parts.server;
    this.#parts = parts;
    this.#stream = options.stream as string;
    this.#group = options.group ?? `millrace.${settings.pipeline}`;
    this.#queue = new RedisQueue(this.#stream, () => this.#sendSoon());
    this.#reader = new RedisReader({
      env,
      group: this.#group,
      consumer: `millrace.${settings.pipeline}.${settings.node}`,
      client: reading,
      waitMs: 2_000,
      unblock: async (id) => (await client.client("UNBLOCK", id)) === 1,
      settled: () => this.#sendAcks(),
      onFailed: (error) => this.lose(redisProblem(this.server, error)),
    });
    this.#beat = env.timers.every(BEAT_MS, () => {
      void client.ping().catch(() => undefined);
      if (!this.#reader.isReading) void reading.ping().catch(() => undefined);
    });
  }

  static async open({
    env,
    address,
    tls,
    timeoutMs,
    ...rest
  }: RedisReaderOptions): Promise<RedisStreamReader> {
    let reader: RedisStreamReader | undefined;
    const connect = () =>
      connectRedis(env, address, { tls, timeoutMs, silenceMs: SILENCE_MS }, (problem) =>
        reader?.lose(problem),
      );
    const client = await connect();
    try {
      const { server } = await redisServerFacts(client, address);
      const reading = await connect();
      reader = new RedisStreamReader({ env, server, client, reading, ...rest });
      await reader.#start();
      return reader;
    } catch (error) {
      await reader?.close();
      client.disconnect();
      throw redisProblem(address.shown, ensureError(error));
    }
  }

  async #start(): Promise<void> {
    const { client, options, settings } = this.#parts;
    const from = options.start === "new" ? "$" : "0";
    try {
      await client.xgroup("CREATE", this.#stream, this.#group, from, "MKSTREAM");
    } catch (thrown) {
      const error = ensureError(thrown);
      if (error.message.startsWith("WRONGTYPE"))
        throw engineError.queueDiffers(this.server, this.#stream, "it is no stream");
      if (!error.message.startsWith("BUSYGROUP")) throw error;
    }
    await this.#reader.start();
    const intake = this.#reader.read(this.#queue, (arrival) => this.#take(arrival));
    this.#intake = intake;
    intake.limit(settings.prefetch);
  }

  #take({ id, fields, ack }: RedisArrival): void {
    this.#parts.events.message({ id, ack, ...messageOf(fields, this.#parts.options.field) });
  }

  #sendSoon(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#parts.env.timers.soon(() => void this.#sendAcks());
  }

  async #sendAcks(): Promise<void> {
    this.#isSending = false;
    const { client, options } = this.#parts;
    const ids = this.#queue.takeAcks();
    if (ids.length === 0 || this.#isOver) return;
    try {
      const removed = options.remove ? client.xdel(this.#stream, ...ids) : undefined;
      await Promise.all([removed, client.xack(this.#stream, this.#group, ...ids)]);
    } catch (error) {
      // They come again on the next connection, and are acknowledged there.
      this.lose(redisProblem(this.server, ensureError(error)));
    }
  }

  pause(): void {
    this.#intake?.close();
  }

  async isEmpty(kept: number): Promise<boolean> {
    const { client } = this.#parts;
    await this.#sendAcks();
    const [last, groups] = await Promise.all([
      client.xrevrange(this.#stream, "+", "-", "COUNT", 1),
      client.xinfo("GROUPS", this.#stream) as Promise<unknown[][]>,
    ]);
    const group = groups.find((fields) => fieldOf(fields, "name") === this.#group);
    const lastId = last[0]?.[0];
    if (this.#queue.inHand.size > kept || group === undefined) return false;
    return lastId === undefined || !isLater(lastId, String(fieldOf(group, "last-delivered-id")));
  }

  lose(problem: StreamError): void {
    if (this.#isOver) return;
    this.#end();
    this.#parts.events.lost(problem);
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.pause();
    await Promise.race([this.#sendAcks(), this.#parts.env.timers.sleep(1_000)]);
    if (!this.#isOver) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#beat.cancel();
    this.#reader.stop();
    this.#parts.client.disconnect();
    this.#parts.reading.disconnect();
  }
}

/** What an entry holds: one of its fields is the body, the others are headers. */
function messageOf(
  fields: readonly Buffer[],
  field: string,
): Pick<ForeignMessage, "body" | "headers" | "problem"> {
  const all: [string, Buffer][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    all.push([(fields[i] as Buffer).toString(), fields[i + 1] as Buffer]);
  }
  const asText = (): Record<string, string> =>
    Object.fromEntries(all.map(([name, value]) => [name, value.toString()]));
  if (field === "*") return { body: Buffer.from(JSON.stringify(asText())), headers: {} };
  const body = all.find(([name]) => name === field)?.[1];
  if (body === undefined) {
    const names = all.map(([name]) => name).join(", ");
    const problem = `an entry has no field ${JSON.stringify(field)}, it has ${names}; name the right one with the option field`;
    return { body: Buffer.from(JSON.stringify(asText())), headers: {}, problem };
  }
  const { [field]: _, ...headers } = asText();
  return { body, headers };
}

function fieldOf(fields: unknown[], name: string): unknown {
  return fields[fields.indexOf(name) + 1];
}

/** Whether an entry's id comes after another. */
function isLater(id: string, than: string): boolean {
  const [ms = 0n, n = 0n] = id.split("-").map(BigInt);
  const [thanMs = 0n, thanN = 0n] = than.split("-").map(BigInt);
  return ms > thanMs || (ms === thanMs && n > thanN);
}
