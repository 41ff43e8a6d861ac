import type { Redis } from "ioredis";
import type { Env, Timer } from "../env/env.ts";
import { ensureError, type StreamError } from "../errors.ts";
import { engineError } from "../streams/brokers/engine-error.ts";
import { connectRedis, redisProblem } from "../streams/brokers/redis-connection.ts";
import { redisServerFacts } from "../streams/brokers/redis-server-facts.ts";
import type { ForeignReader, LinkEvents } from "./foreign-driver.ts";
import type { FromRedisSettings } from "./redis-queues.ts";
import { type RedisReaderOptions, SILENCE_MS } from "./redis-stream-reader.ts";

const BEAT_MS = 3_000;
/** Elements moved at once. */
const MAX_COUNT = 128;
/** How long a wait in the server lasts, in seconds. */
const WAIT_S = 2;

interface Parts {
  readonly env: Env;
  readonly server: string;
  readonly client: Redis;
  readonly reading: Redis;
  readonly list: string;
  /** Holds what is in our hands: what is there when we begin was left by an earlier life. */
  readonly ours: string;
  readonly side: FromRedisSettings["side"];
  readonly prefetch: number;
  readonly events: LinkEvents;
}

/**
 * Reads a Redis list. An element is moved to a list of ours, `<list>:millrace:<pipeline>.<source>`, in the same step in
 * which it is taken, and removed from there when it is acknowledged: nothing is lost, whoever dies when.
 */
export class RedisListReader implements ForeignReader {
  readonly server: string;
  readonly #parts: Parts;
  readonly #beat: Timer;
  #inHand = 0;
  #acks: Buffer[] = [];
  #wake: (() => void) | undefined;
  #isPaused = false;
  #isOver = false;

  private constructor(parts: Parts) {
    this.server = parts.server;
    this.#parts = parts;
    this.#beat = parts.env.timers.every(BEAT_MS, () => {
      void parts.client.ping().catch(() => undefined);
      if (this.#wake !== undefined) void parts.reading.ping().catch(() => undefined);
    });
  }

  static async open(options: RedisReaderOptions): Promise<RedisListReader> {
    const { env, address, tls, timeoutMs, settings, events } = options;
    const { list = "", side } = options.options;
    let reader: RedisListReader | undefined;
    const connect = () =>
      connectRedis(env, address, { tls, timeoutMs, silenceMs: SILENCE_MS }, (problem) =>
        reader?.lose(problem),
      );
    const client = await connect();
    try {
      const { server } = await redisServerFacts(client, address);
      const kind = await client.type(list);
      if (kind !== "none" && kind !== "list")
        throw engineError.queueDiffers(server, list, `it is a ${kind}, no list`);
      const reading = await connect();
      const ours = `${list}:millrace:${settings.pipeline}.${settings.node}`;
      const { prefetch } = settings;
      reader = new RedisListReader({ env, server, client, reading, list, ours, side, prefetch, events });
      const left = await reading.lrangeBuffer(ours, 0, -1);
      void reader.#run(left).catch((error: Error) => reader?.lose(redisProblem(server, error)));
      return reader;
    } catch (error) {
      client.disconnect();
      throw redisProblem(address.shown, ensureError(error));
    }
  }

  async #run(left: readonly Buffer[]): Promise<void> {
    for (const body of left) this.#take(body);
    while (!this.#isOver) {
      const room = Math.min(MAX_COUNT, this.#parts.prefetch - this.#inHand);
      if (this.#isPaused || room <= 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
        continue;
      }
      const taken = await this.#move(room);
      if (taken.length > 0) for (const body of taken) this.#take(body);
      else await this.#waitForOne();
    }
  }

  async #move(count: number): Promise<Buffer[]> {
    const { reading, list, ours } = this.#parts;
    const moves = Array.from({ length: count }, () =>
      reading.callBuffer("LMOVE", [list, ours, ...this.#sides]),
    );
    const bodies = await Promise.all(moves);
    return bodies.filter((body): body is Buffer => body !== null);
  }

  async #waitForOne(): Promise<void> {
    const { reading, list, ours } = this.#parts;
    const body = await reading.callBuffer("BLMOVE", [list, ours, ...this.#sides, WAIT_S]);
    if (body !== null) this.#take(body as Buffer);
  }

  get #sides(): readonly [string, string] {
    return [this.#parts.side === "left" ? "LEFT" : "RIGHT", "RIGHT"];
  }

  #take(body: Buffer): void {
    this.#inHand++;
    let isAcknowledged = false;
    const ack = (): void => {
      if (isAcknowledged || this.#isOver) return;
      isAcknowledged = true;
      this.#inHand--;
      if (this.#acks.push(body) === 1) this.#parts.env.timers.soon(() => void this.#sendAcks());
      this.#wake?.();
    };
    this.#parts.events.message({ id: undefined, body, headers: {}, ack });
  }

  async #sendAcks(): Promise<void> {
    const { client, ours } = this.#parts;
    const acks = this.#acks;
    this.#acks = [];
    if (this.#isOver) return;
    try {
      // n.b. of two that are equal it does not matter which is removed.
      await Promise.all(acks.map((body) => client.lrem(ours, 1, body)));
    } catch (error) {
      this.lose(redisProblem(this.server, ensureError(error)));
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  async isEmpty(kept: number): Promise<boolean> {
    await this.#sendAcks();
    return (await this.#parts.client.llen(this.#parts.list)) === 0 && this.#inHand <= kept;
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
    this.#wake?.();
    this.#parts.client.disconnect();
    this.#parts.reading.disconnect();
  }
}
