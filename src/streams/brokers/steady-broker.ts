import type { EngineOptions } from "../../definition/engine-options.ts";
import type { Env } from "../../env/env.ts";
import { ensureError, MillraceError } from "../../errors.ts";
import type { Broker, BrokerSession } from "./broker.ts";
import { SessionLife } from "./session-life.ts";
import { SteadyQueue } from "./steady-queue.ts";

const CONNECT_MS = 10_000;
const LEAST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** A session that lived for so long was a good one: the next attempt after it comes soon. */
const GOOD_MS = 10_000;
const CLOSE_MS = 2_000;
const DROP_MS = 5_000;
const DROP_AGAIN_MS = 500;
/** A broker that was killed at the end of a run is back by then. */
const DROP_PATIENCE_MS = 30_000;
/** A broker that takes nothing may say so of itself, of a queue, or of both. */
const FULL = "MR_ENGINE_FULL";
/** A server takes so long at most to find out that a client is gone, and to hand out again what it had. */
const SETTLE_MS = 60_000;

export interface SteadyEvents {
  /** The session is gone: what it had in our hands comes again, its acknowledgements mean nothing any more. */
  lost(): void;
  /** What stands in the way, once for each kind of it; undefined once nothing does any more. */
  trouble(text: string | undefined): void;
}

/**
 * The safe wrapper around a broker's driver: it connects, and again for as long as it takes, with jittered back-off;
 * makes the queues, consumes and publishes anew.
 */
export class SteadyBroker {
  readonly #env: Env;
  readonly #broker: Broker;
  readonly #events: SteadyEvents;
  readonly #queues = new Map<string, SteadyQueue>();
  #life: SessionLife | undefined;
  #maxFrameBytes: number | undefined;
  #failures = 0;
  #isBlocked: string | undefined;
  /** Why there is no session. */
  #away: Error | undefined;
  /** By queue: why nothing goes into it. */
  readonly #stuck = new Map<string, Error>();
  #told: string | undefined;
  readonly #settleMs: number;
  /** There was a session before the present one. */
  #hadSession = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(env: Env, broker: Broker, events: SteadyEvents, settleMs = SETTLE_MS) {
    this.#env = env;
    this.#settleMs = settleMs;
    this.#broker = broker;
    this.#events = events;
  }

  /** The session there is now. */
  get session(): BrokerSession | undefined {
    return this.#life?.session;
  }

  /** The largest message that it takes; while it is away, that it took; undefined when it was never there. */
  get maxFrameBytes(): number | undefined {
    return this.#maxFrameBytes;
  }

  /** Whether there is a session, and all has come again that an earlier one had in its hands. */
  get isSettled(): boolean {
    if (this.#life === undefined) return false;
    const { session, since } = this.#life;
    const settleMs = Math.max(this.#settleMs, session.handBackMs ?? 0);
    return !this.#hadSession || this.#env.clock.mono() - since >= settleMs;
  }

  /**
   * The first connection; `hasEarlier`: another process may have had one before. Throws what `Broker.connect` throws;
   * with `waits` it is tried again for ever instead.
   */
  async start(waits: boolean, hasEarlier: boolean): Promise<void> {
    this.#hadSession = hasEarlier;
    try {
      await this.#connect();
    } catch (error) {
      if (!waits) throw error;
      this.#missed(ensureError(error));
    }
  }

  async #connect(): Promise<void> {
    let life: SessionLife | undefined;
    let early: Error | undefined;
    const session = await this.#broker.connect(
      {
        lost: (problem) => {
          early = problem;
          if (life !== undefined) this.#lost(life, problem);
        },
        blocked: (reason) => {
          if (!this.#isClosed && early === undefined) this.#block(reason);
        },
      },
      CONNECT_MS,
    );
    if (early !== undefined) {
      // n.b. one of its connections may live on.
      void session.close().catch(() => undefined);
      throw early;
    }
    if (this.#isClosed) {
      await session.close().catch(() => undefined);
      return;
    }
    life = new SessionLife(this.#env, session);
    this.#life = life;
    this.#maxFrameBytes = session.maxFrameBytes;
    this.#away = undefined;
    const attached = [...this.#queues.values()].map((queue) => this.#attach(queue, life));
    await Promise.allSettled(attached);
    this.#tell();
  }

  /** A queue that the broker has something against is tried again: somebody may mend it. */
  async #attach(queue: SteadyQueue, life: SessionLife, waitMs = 1_000): Promise<void> {
    try {
      await queue.attach(life);
    } catch (error) {
      if (life.isOver || this.#isClosed) return;
      this.#stuck.set(queue.name, ensureError(error));
      this.#tell();
      this.#env.timers.after(waitMs, () => {
        if (this.#life === life) void this.#attach(queue, life, Math.min(LONGEST_WAIT_MS, 2 * waitMs));
      });
      return;
    }
    if (this.#stuck.delete(queue.name)) this.#tell();
  }

  #lost(life: SessionLife, problem: Error): void {
    if (life.isOver) return;
    life.end(problem);
    if (this.#life !== life || this.#isClosed) return;
    this.#life = undefined;
    this.#hadSession = true;
    if (this.#env.clock.mono() - life.since > GOOD_MS) this.#failures = 0;
    this.#stuck.clear();
    for (const queue of this.#queues.values()) queue.detach();
    this.#events.lost();
    this.#block(undefined);
    this.#missed(problem);
    void life.session.close().catch(() => undefined);
  }

  /** There is no session: the next attempt comes after a while. */
  #missed(problem: Error): void {
    if (this.#isClosed) return;
    this.#away = problem;
    this.#tell();
    const most = Math.min(LONGEST_WAIT_MS, LEAST_WAIT_MS * 2 ** this.#failures++);
    const wait = most * (0.5 + this.#env.random.float() / 2);
    this.#env.timers.after(wait, () => {
      if (this.#isClosed) return;
      void this.#connect().catch((error: unknown) => this.#missed(ensureError(error)));
    });
  }

  #block(reason: string | undefined): void {
    this.#isBlocked = reason;
    for (const queue of this.#queues.values()) queue.block(reason !== undefined);
    this.#tell();
  }

  #tell(): void {
    const [stuck] = this.#stuck.values();
    let kind: string | undefined;
    let text: string | undefined;
    if (this.#away !== undefined) {
      kind = `away ${codeOf(this.#away)}`;
      text = this.#away.message;
    } else if (this.#isBlocked !== undefined) {
      kind = FULL;
      text = `${this.session?.server ?? this.#broker.address}: it takes nothing at present (${this.#isBlocked})`;
    } else if (stuck !== undefined) {
      kind = codeOf(stuck);
      text = stuck.message;
    }
    if (kind === this.#told) return;
    this.#told = kind;
    this.#events.trouble(text);
  }

  /** The queue of this name, made at the broker as soon as there is a session. */
  queue(name: string, options?: EngineOptions): SteadyQueue {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = this.#newQueue(name, options);
      if (this.#life !== undefined) void this.#attach(queue, this.#life);
    }
    return queue;
  }

  /** The same; rejects when there is a session and the broker has something against the queue. */
  async declare(name: string, options?: EngineOptions): Promise<SteadyQueue> {
    const known = this.#queues.get(name);
    const life = this.#life;
    if (known !== undefined || life === undefined) return this.queue(name, options);
    const queue = this.#newQueue(name, options);
    try {
      await queue.attach(life);
    } catch (error) {
      // n.b. when the session was lost meanwhile, the next one makes it.
      if (!life.isOver) throw error;
    }
    return queue;
  }

  #newQueue(name: string, options: EngineOptions | undefined): SteadyQueue {
    const queue = new SteadyQueue(this.#env, name, options, {
      trouble: (problem) => {
        if (problem !== undefined) this.#stuck.set(name, problem);
        else this.#stuck.delete(name);
        this.#tell();
      },
    });
    this.#queues.set(name, queue);
    if (this.#isBlocked !== undefined) queue.block(true);
    return queue;
  }

  /**
   * Removes queues, and waits `patienceMs` for a broker that is away; rejects when some are left. Nothing else can be
   * done after that but to close.
   */
  async drop(names: readonly string[], patienceMs = DROP_PATIENCE_MS): Promise<void> {
    this.#isClosed = true;
    for (const queue of this.#queues.values()) queue.close();
    const until = this.#env.clock.mono() + patienceMs;
    for (;;) {
      try {
        this.#life ??= await this.#lastLife();
        await dropAll(this.#life, names);
        return;
      } catch (error) {
        if (this.#life?.isOver === false || this.#closing !== undefined || this.#env.clock.mono() >= until)
          throw error;
      }
      this.#life = undefined;
      await this.#env.timers.sleep(DROP_AGAIN_MS);
    }
  }

  /** A session for the removal of queues alone. */
  async #lastLife(): Promise<SessionLife> {
    let early: Error | undefined;
    let life: SessionLife | undefined;
    const lost = (problem: Error): void => {
      early = problem;
      life?.end(problem);
    };
    const session = await this.#broker.connect({ lost, blocked: () => undefined }, CONNECT_MS);
    life = new SessionLife(this.#env, session);
    if (early !== undefined) life.end(early);
    return life;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    for (const queue of this.#queues.values()) queue.close();
    const life = this.#life;
    await life?.ask((session) => session.close(), CLOSE_MS).catch(() => undefined);
    this.#life = undefined;
  }
}

async function dropAll(life: SessionLife, names: readonly string[]): Promise<void> {
  const drops = names.map((name) => life.ask((session) => session.drop(name), DROP_MS));
  const failed = (await Promise.allSettled(drops)).find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

function codeOf(error: Error): string {
  return error instanceof MillraceError ? error.code : error.name;
}
