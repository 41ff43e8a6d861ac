import type { EngineOptions } from "../../definition/engine-options.ts";
import type { Env, Timer } from "../../env/env.ts";
import { ensureError, MillraceError, StreamError } from "../../errors.ts";
import type { Arrival, Intake } from "./broker.ts";
import type { SessionLife } from "./session-life.ts";

/** Sent and not confirmed, at most so much: what a broker must be given to be busy, and not more. */
const WINDOW_MESSAGES = 2_000;
const WINDOW_BYTES = 16 * 1024 * 1024;
const LEAST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** For so long without a refusal, a queue that was full is not full any more. */
const OVER_MS = 5_000;
const DECLARE_MS = 30_000;

/** A message that is not confirmed yet. */
interface Message {
  readonly number: number;
  readonly frame: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface SteadyQueueEvents {
  /** What stands in the queue's way; undefined: nothing any more. May be said again. */
  trouble(problem: Error | undefined): void;
}

/**
 * One queue of a broker that comes and goes.
 *
 * Q1 Messages are sent in the order of their numbers. One that was refused is sent again before all behind it that
 *    were not sent yet; after a lost session all that were not confirmed are sent again, in order.
 * Q2 A publication ends with the broker's confirmation or with `close`, and in no other way.
 */
export class SteadyQueue {
  readonly name: string;
  readonly #env: Env;
  readonly #options: EngineOptions | undefined;
  readonly #events: SteadyQueueEvents;
  #unsent = new Map<number, Message>();
  readonly #sent = new Map<number, Message>();
  #sentBytes = 0;
  #life: SessionLife | undefined;
  #isReady = false;
  #isBlocked = false;
  #isClosed = false;
  /** While it runs nothing is sent: the broker has refused something. */
  #pause: Timer | undefined;
  #pauseMs = LEAST_PAUSE_MS;
  /** After a pause one message goes first. */
  #isProbing = false;
  #over: Timer | undefined;
  #onArrival: ((arrival: Arrival) => void) | undefined;
  #limit = 0;
  #intake: Intake | undefined;

  constructor(env: Env, name: string, options: EngineOptions | undefined, events: SteadyQueueEvents) {
    this.#env = env;
    this.name = name;
    this.#options = options;
    this.#events = events;
  }

  /** Messages that the broker has not confirmed. */
  get unconfirmed(): number {
    return this.#unsent.size + this.#sent.size;
  }

  publish(number: number, frame: Buffer): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed(this.name));
    return new Promise((resolve, reject) => {
      this.#unsent.set(number, { number, frame, resolve, reject });
      this.#send();
    });
  }

  /** Arrivals come until the queue is closed, over however many sessions. */
  consume(onArrival: (arrival: Arrival) => void): void {
    this.#onArrival = onArrival;
    if (this.#isReady) this.#takeIn();
  }

  /** At most so many messages may be in our hands. */
  limit(messages: number): void {
    this.#limit = messages;
    this.#intake?.limit(messages);
  }

  /** Messages that are in nobody's hands; undefined when that cannot be asked now. */
  async waiting(): Promise<number | undefined> {
    if (!this.#isReady) return undefined;
    return await this.#life?.ask((session) => session.waiting(this.name), DECLARE_MS).catch(() => undefined);
  }

  /** Makes the queue where it is missing, over a new session. Rejects with what the broker has against it. */
  async attach(life: SessionLife): Promise<void> {
    this.#life = life;
    await life.ask((session) => session.declare(this.name, this.#options), DECLARE_MS);
    if (this.#life !== life || this.#isClosed) return;
    this.#isReady = true;
    if (this.#onArrival !== undefined) this.#takeIn();
    this.#send();
  }

  /** The session is over: what was not confirmed is sent again over the next. */
  detach(): void {
    this.#life = undefined;
    this.#isReady = false;
    this.#intake = undefined;
    this.#putBack([...this.#sent.values()]);
    this.#sent.clear();
    this.#sentBytes = 0;
    this.#isProbing = false;
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  /** The broker takes nothing at present, or takes it again. */
  block(isBlocked: boolean): void {
    this.#isBlocked = isBlocked;
    if (!isBlocked) this.#send();
  }

  #takeIn(): void {
    const life = this.#life as SessionLife;
    this.#intake = life.session.consume(this.name, (arrival) => {
      if (this.#life === life) this.#onArrival?.(arrival);
    });
    if (this.#limit > 0) this.#intake.limit(this.#limit);
  }

  #send(): void {
    const life = this.#life;
    if (life === undefined || !this.#isReady || this.#isBlocked || this.#pause !== undefined) return;
    const most = this.#isProbing ? 1 : WINDOW_MESSAGES;
    for (const message of this.#unsent.values()) {
      if (this.#sent.size >= most || this.#sentBytes > WINDOW_BYTES) return;
      this.#unsent.delete(message.number);
      this.#sent.set(message.number, message);
      this.#sentBytes += message.frame.length;
      life.session.publish(this.name, message.number, message.frame).then(
        () => this.#confirmed(message),
        (error: unknown) => this.#refused(message, life, ensureError(error)),
      );
    }
  }

  #confirmed(message: Message): void {
    // n.b. also when it was given up for lost in the same moment: it is there.
    this.#unsent.delete(message.number);
    if (this.#sent.delete(message.number)) this.#sentBytes -= message.frame.length;
    if (this.#isProbing) {
      this.#isProbing = false;
      this.#pauseMs = LEAST_PAUSE_MS;
    }
    message.resolve();
    this.#send();
  }

  #refused(message: Message, life: SessionLife, error: Error): void {
    // n.b. what a lost session had in its hands was put back when that was known.
    if (this.#life !== life || !this.#sent.delete(message.number)) return;
    this.#sentBytes -= message.frame.length;
    this.#putBack([message]);
    const isFull = error instanceof MillraceError && error.code === "MR_ENGINE_FULL";
    if (isFull) this.#inTrouble(error);
    if (this.#pause !== undefined) return;
    this.#pause = this.#env.timers.after(this.#pauseMs, () => {
      this.#pause = undefined;
      // n.b. only now: a session on its way out refuses what it has, too, and then says so itself.
      if (!isFull) this.#inTrouble(error);
      this.#isProbing = true;
      this.#send();
    });
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * this.#pauseMs);
  }

  #inTrouble(error: Error): void {
    this.#over?.cancel();
    this.#over = this.#env.timers.after(OVER_MS, () => this.#events.trouble(undefined), { background: true });
    this.#events.trouble(error);
  }

  /** Into their places before what was not sent yet. */
  #putBack(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    const all = [...messages, ...this.#unsent.values()].sort((a, b) => a.number - b.number);
    this.#unsent = new Map(all.map((message) => [message.number, message]));
  }

  close(): void {
    this.#isClosed = true;
    this.#intake?.close();
    this.detach();
    this.#over?.cancel();
    for (const message of this.#unsent.values()) message.reject(closed(this.name));
    this.#unsent.clear();
  }
}

function closed(name: string): StreamError {
  return new StreamError("MR_STREAM_CLOSED", `queue ${name}: the engine is closed`);
}
