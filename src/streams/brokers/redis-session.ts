import type { Redis } from "ioredis";
import type { Env, Timer } from "../../env/env.ts";
import { ensureError, type StreamError } from "../../errors.ts";
import type { Durability } from "../contract.ts";
import type { Arrival, BrokerSession, Intake, SessionEvents } from "./broker.ts";
import { engineError } from "./engine-error.ts";
import { redisProblem } from "./redis-connection.ts";
import { RedisQueue } from "./redis-queue.ts";
import { RedisReader } from "./redis-reader.ts";
import type { RedisServerFacts } from "./redis-server-facts.ts";

/** Group and consumer of all queues. */
const GROUP = "millrace";
/** Replies to a write that the server takes again once somebody has made room. */
const NO_ROOM = /^(OOM|MISCONF|NOREPLICAS)\b/;
/** Never exists: pushing to it does nothing, and is refused like every write while there is no room. */
const PROBE = "millrace.probe";
/** How long an orderly end may take. */
const MAX_CLOSING_MS = 1_000;

export interface RedisSessionParts {
  readonly env: Env;
  readonly client: Redis;
  /** The connection on which reads wait in the server. */
  readonly reading: Redis;
  readonly facts: RedisServerFacts;
  readonly events: SessionEvents;
  readonly silenceMs: number;
}

/** Two connections to a Redis server: one waits for messages, the other does everything else. */
export class RedisSession implements BrokerSession {
  readonly server: string;
  readonly maxFrameBytes: number;
  readonly confirmSurvives: Durability;
  readonly cautions: readonly string[];
  readonly #env: Env;
  readonly #client: Redis;
  readonly #reading: Redis;
  readonly #events: SessionEvents;
  readonly #reader: RedisReader;
  readonly #pulse: Timer;
  readonly #queues = new Map<string, RedisQueue>();
  /** Those with something that the server may forget. */
  #acknowledged = new Set<RedisQueue>();
  #isCorked = false;
  #isBlocked = false;
  /** The server takes nothing at all, not even what would make room. */
  #holdsAcks = false;
  #isOver = false;

  constructor({ env, client, reading, facts, events, silenceMs }: RedisSessionParts) {
    this.server = facts.server;
    this.maxFrameBytes = facts.maxValueBytes;
    this.confirmSurvives = facts.confirmSurvives;
    this.cautions = facts.cautions;
    this.#env = env;
    this.#client = client;
    this.#reading = reading;
    this.#events = events;
    this.#reader = new RedisReader({
      env,
      group: GROUP,
      consumer: GROUP,
      client: reading,
      waitMs: Math.min(2_000, Math.floor(silenceMs / 3)),
      unblock: async (id) => (await client.client("UNBLOCK", id)) === 1,
      settled: () => this.#sendAcks(),
      onFailed: (error) => this.lose(redisProblem(this.server, error)),
    });
    this.#pulse = env.timers.every(Math.ceil(silenceMs / 3), () => this.#beat(), { background: true });
  }

  async start(): Promise<void> {
    await this.#reader.start();
  }

  async declare(queue: string): Promise<void> {
    try {
      await this.#client.xgroup("CREATE", queue, GROUP, "0", "MKSTREAM");
    } catch (error) {
      if (ensureError(error).message.startsWith("BUSYGROUP")) return;
      throw this.#refusal(queue, error);
    }
    // n.b. reading it with our group, and acknowledging, would remove what belongs to somebody else.
    if ((await this.#client.xlen(queue)) === 0) return;
    await this.#client.xgroup("DESTROY", queue, GROUP);
    throw engineError.queueDiffers(this.server, queue, "it holds messages of another program");
  }

  async publish(queue: string, number: number, frame: Buffer): Promise<void> {
    this.#cork();
    let id: string | null;
    try {
      // n.b. a queue that was removed must not come back without its group: its declaration would take it for another's.
      id = await this.#client.xadd(queue, "NOMKSTREAM", "*", "n", number, "f", frame);
    } catch (error) {
      throw this.#refusal(queue, error);
    }
    if (id !== null) return;
    const problem = engineError.unreachable(this.server, `the queue ${queue} was removed there`);
    // The next session declares it again.
    this.lose(problem);
    throw problem;
  }

  /** What is sent in one tick leaves in one write. */
  #cork(): void {
    if (this.#isCorked) return;
    const { stream } = this.#client;
    this.#isCorked = true;
    stream.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      stream.uncork();
    });
  }

  consume(queue: string, onArrival: (arrival: Arrival) => void): Intake {
    return this.#reader.read(this.#queue(queue), onArrival);
  }

  #queue(name: string): RedisQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = new RedisQueue(name, (changed) => {
        if (this.#acknowledged.size === 0 && !this.#holdsAcks)
          this.#env.timers.soon(() => void this.#sendAcks());
        this.#acknowledged.add(changed);
      });
      this.#queues.set(name, queue);
    }
    return queue;
  }

  async #sendAcks(): Promise<void> {
    const queues = this.#acknowledged;
    this.#acknowledged = new Set();
    if (this.#isOver) return;
    this.#cork();
    await Promise.all([...queues].map((queue) => this.#sendAcksOf(queue)));
  }

  async #sendAcksOf(queue: RedisQueue): Promise<void> {
    const ids = queue.takeAcks();
    if (ids.length === 0) return;
    try {
      // n.b. in this order: an entry that is gone and still pending is found again and forgotten, the other way it stays.
      await Promise.all([
        this.#client.xdel(queue.name, ...ids),
        this.#client.xack(queue.name, GROUP, ...ids),
      ]);
    } catch (error) {
      // On a full disk the server refuses even this: it is told again when it is not.
      this.#holdsAcks = this.#isFull(error);
      if (this.#holdsAcks) queue.release(ids);
    }
  }

  async waiting(queue: string): Promise<number> {
    void this.#sendAcks();
    try {
      const length = await this.#client.xlen(queue);
      return Math.max(0, length - (this.#queues.get(queue)?.inHand.size ?? 0));
    } catch (error) {
      throw this.#refusal(queue, error);
    }
  }

  async drop(queue: string): Promise<void> {
    const known = this.#queues.get(queue);
    if (known !== undefined) this.#reader.forget(known);
    this.#queues.delete(queue);
    try {
      await this.#client.unlink(queue);
    } catch (error) {
      throw this.#refusal(queue, error);
    }
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    await Promise.race([this.#sendAcks(), this.#env.timers.sleep(MAX_CLOSING_MS)]);
    if (this.#isOver) return;
    this.#end();
  }

  /** The connection, or the server behind it, is of no use any more. */
  lose(problem: StreamError): void {
    if (this.#isOver) return;
    this.#end();
    this.#events.lost(problem);
  }

  #end(): void {
    this.#isOver = true;
    this.#pulse.cancel();
    this.#reader.stop();
    this.#client.disconnect();
    this.#reading.disconnect();
  }

  /** What the server said to a write, as the error of a driver. */
  #refusal(queue: string, thrown: unknown): StreamError {
    const error = ensureError(thrown);
    if (this.#isFull(error)) return engineError.full(this.server, queue, error);
    if (error.message.startsWith("WRONGTYPE")) return engineError.queueDiffers(this.server, queue, error);
    const problem = redisProblem(this.server, error);
    // It has become a replica: another server is the one to write to.
    if (error.message.startsWith("READONLY")) this.lose(problem);
    return problem;
  }

  #isFull(thrown: unknown): boolean {
    const { message } = ensureError(thrown);
    if (!NO_ROOM.test(message)) return false;
    if (!this.#isBlocked && !this.#isOver) {
      this.#isBlocked = true;
      this.#events.blocked(message);
    }
    return true;
  }

  /** Something is always asked for, so that a silent connection is noticed. */
  #beat(): void {
    if (!this.#reader.isReading) void this.#reading.ping().catch(() => undefined);
    if (this.#isBlocked) void this.#probe();
    else void this.#client.ping().catch(() => undefined);
  }

  async #probe(): Promise<void> {
    try {
      await this.#client.lpushx(PROBE, "");
    } catch (error) {
      // n.b. a refusal for another reason (this user may not write there) says nothing of the room.
      if (this.#isOver || NO_ROOM.test(ensureError(error).message)) return;
    }
    this.#isBlocked = false;
    this.#holdsAcks = false;
    this.#events.blocked(undefined);
    void this.#sendAcks();
  }
}
