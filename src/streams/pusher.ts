import type { Env, Socket } from "../env/env.ts";
import { ensureError, ProtocolError, RunError, StreamError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { unpackValue } from "../wire/packing.ts";
import { StreamConnection } from "./connection.ts";
import { STREAM_PROTOCOL_VERSION } from "./protocol.ts";
import { PushFrames, type PushPlan } from "./push-frames.ts";
import { PushQueue } from "./push-queue.ts";
import { PushTick } from "./push-tick.ts";
import { UnconfirmedPushes } from "./unconfirmed-pushes.ts";

export interface PusherOptions {
  readonly env: Env;
  readonly source: string;
  /** It waits for room for as long as it takes, in place of refusing pushes. */
  readonly isPatient?: boolean;
  /** A socket to the run's streams process; a RunError means that there will be none any more. */
  connect(): Promise<{ readonly socket: Socket; readonly secret: string }>;
}

/** Stored, and not known to be durable: beyond this a push waits before it is encoded. */
const MAX_UNCONFIRMED_BYTES = 8 * 1024 * 1024;
/** A tick's pushes are sent before its end when they nearly fill a frame: it is stored while the next is encoded. */
const MAX_TICK_BYTES = 96 * 1024;
/** Frames of one message: one a delay, and every delay may be another. */
const MAX_TICK_PUSHES = 10_000;
/** After so long without a push the next one is taken for a lone one. */
const PAUSE_MS = 5;
const NOTHING_TO_DO = Promise.resolve();

/** A push that has waited so long for room is refused. */
const PATIENCE_MS = 30_000;

/**
 * Puts items from outside into a push source's stream.
 *
 * U1 The items of one push are stored in one transaction: all or none.
 * U2 A push resolves when its items are durable. What was not confirmed when the connection was lost is sent again;
 *    what the streams process knows as durable is not: transactions are numbered, and the number of the last is stored
 *    with it under the pusher's name.
 * U3 Pushes are stored in the order of their calls.
 * U4 What is pushed in one turn of the event loop - after a pause, in one piece of code - is stored together: a push costs no promise of its own, and nothing
 *    holds its items once they are encoded.
 */
export class Pusher {
  readonly #options: PusherOptions;
  readonly #name: string;
  readonly #frames: PushFrames;
  /** Pushes for which there is no room yet. */
  readonly #queue: PushQueue;
  /** In the frames in the making. */
  #tick: PushTick | undefined;
  #isScheduled = false;
  #sentAt = Number.NEGATIVE_INFINITY;
  readonly #unconfirmed: UnconfirmedPushes;
  #connection: StreamConnection | undefined;
  #isConnecting = false;
  #over: Error | undefined;
  /** As much waits in the source as its capacity allows. */
  #isHeld = false;
  #isDiskLow = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: PusherOptions) {
    this.#options = options;
    this.#name = options.env.random.bytes(8).toString("hex");
    const key = recordKeys.sourceState(recordKeys.pusher(options.source, this.#name));
    this.#unconfirmed = new UnconfirmedPushes(key);
    this.#frames = new PushFrames(options.env, options.source);
    const { env, source, isPatient = false } = options;
    this.#queue = new PushQueue({
      env,
      source,
      patienceMs: isPatient ? Number.POSITIVE_INFINITY : PATIENCE_MS,
    });
  }

  /** Rejects with EncodingError for items that cannot be stored, RunError when the run is over, and what the streams refuse with. */
  push(items: readonly unknown[], plan: PushPlan): Promise<void> {
    if (this.#over !== undefined) return Promise.reject(this.#over);
    if (!this.isFull || items.length === 0) return this.#take(items, plan);
    if (this.#refusesAtOnce) return Promise.reject(this.#diskLow());
    return new Promise((resolve, reject) => {
      this.#queue.add({ items, plan, resolve, reject });
    });
  }

  /** Whether a push would have to wait. */
  get isFull(): boolean {
    return !this.#queue.isEmpty || this.#isFull;
  }

  get #isFull(): boolean {
    return (
      this.#isHeld || this.#isDiskLow || this.#unconfirmed.bytes + this.#frames.bytes > MAX_UNCONFIRMED_BYTES
    );
  }

  get #refusesAtOnce(): boolean {
    return this.#isDiskLow && this.#options.isPatient !== true;
  }

  #diskLow(): StreamError {
    const subject = `push to ${this.#options.source}`;
    return new StreamError("MR_DISK_LOW", `${subject}: the disk is low; wait and try again, or make room`);
  }

  #take(items: readonly unknown[], plan: PushPlan): Promise<void> {
    if (items.length === 0) return NOTHING_TO_DO;
    try {
      this.#frames.add(items, plan);
    } catch (error) {
      return Promise.reject(ensureError(error));
    }
    this.#tick ??= new PushTick();
    const { done } = this.#tick;
    if (this.#frames.bytes > MAX_TICK_BYTES || ++this.#tick.pushes >= MAX_TICK_PUSHES) this.#send();
    else if (!this.#isScheduled) this.#schedule();
    return done;
  }

  /** What is pushed in the same turn of the event loop travels together; after a pause, in the same piece of code. */
  #schedule(): void {
    this.#isScheduled = true;
    const send = (): void => {
      this.#isScheduled = false;
      this.#send();
    };
    const { clock, timers } = this.#options.env;
    // n.b. most likely it is alone: the turn may last, and a lone item is in a hurry.
    if (this.#unconfirmed.isEmpty && clock.mono() - this.#sentAt > PAUSE_MS) queueMicrotask(send);
    else timers.soon(send);
  }

  #send(): void {
    const tick = this.#tick;
    if (tick === undefined) return;
    this.#tick = undefined;
    this.#sentAt = this.#options.env.clock.mono();
    this.#unconfirmed.add(this.#frames.take(), tick, this.#connection);
    if (this.#connection === undefined) void this.#connect();
  }

  async #connect(): Promise<void> {
    if (this.#isConnecting) return;
    this.#isConnecting = true;
    const { env } = this.#options;
    for (let waitMs = 10; this.#over === undefined; waitMs = Math.min(500, waitMs * 2)) {
      try {
        await this.#greet();
        break;
      } catch (error) {
        if (error instanceof RunError || error instanceof ProtocolError || isFinal(error)) {
          this.fail(ensureError(error));
          break;
        }
        await env.timers.sleep(waitMs);
      }
    }
    this.#isConnecting = false;
  }

  async #greet(): Promise<void> {
    const { socket, secret } = await this.#options.connect();
    const hello = {
      version: STREAM_PROTOCOL_VERSION,
      role: "push",
      stage: this.#options.source,
      instance: this.#name,
      secret,
    } as const;
    let isOver = false;
    const connection = await StreamConnection.greet(socket, hello, {
      onConfirmed: (n) => {
        if (!isOver) this.#settle(n, undefined);
      },
      onFull: (stages, isDiskLow) => {
        this.#isHeld = stages.includes(this.#options.source);
        this.#isDiskLow = isDiskLow;
        if (this.#refusesAtOnce) for (const push of this.#queue.splice()) push.reject(this.#diskLow());
        this.#takeQueued();
      },
      onRefused: (n, error) => {
        // What comes after a refused one on the same connection is refused as well: it is sent again on another.
        if (isOver) return;
        isOver = true;
        if (n === 0) this.fail(error);
        this.#settle(n, error);
        connection.destroy();
        this.#lost(connection);
      },
      onClose: () => {
        isOver = true;
        this.#lost(connection);
      },
    });
    const state = connection.welcome.sourceState;
    const durable = state === undefined ? 0 : (unpackValue(state) as { n: number }).n;
    for (const n of this.#unconfirmed.numbers) {
      if (n <= durable) this.#settle(n, undefined);
      else if (this.#refusesAtOnce) this.#settle(n, this.#diskLow());
    }
    if (isOver) throw new StreamError("MR_STREAM_CLOSED", "streams process: it closed the connection");
    this.#connection = connection;
    this.#unconfirmed.resend(connection);
  }

  #lost(connection: StreamConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    // Whether it is full will be said anew.
    this.#isHeld = false;
    this.#isDiskLow = false;
    if (!this.#unconfirmed.isEmpty) void this.#connect();
    else this.#takeQueued();
  }

  #settle(n: number, error: Error | undefined): void {
    if (!this.#unconfirmed.settle(n, error)) return;
    this.#takeQueued();
    this.#checkIdle();
  }

  #takeQueued(): void {
    this.#queue.drain(
      () => !this.#isFull,
      ({ items, plan, resolve, reject }) => void this.#take(items, plan).then(resolve, reject),
    );
  }

  #checkIdle(): void {
    if (!this.#unconfirmed.isEmpty || this.#tick !== undefined || !this.#queue.isEmpty) return;
    for (const listener of this.#whenIdle.splice(0)) listener();
  }

  /** No more can be pushed: what is not confirmed is rejected with this. */
  fail(error: Error): void {
    this.#over ??= error;
    this.#unconfirmed.fail(error);
    this.#tick?.end(error);
    this.#tick = undefined;
    for (const waiting of this.#queue.splice()) waiting.reject(error);
    this.#connection?.destroy();
    this.#checkIdle();
  }

  /** Resolves when all that was pushed is stored, or rejected. */
  idle(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
      this.#checkIdle();
    });
  }

  /** Waits for what was pushed and lets go of the connection. */
  async end(): Promise<void> {
    await this.idle();
    this.#over ??= new StreamError(
      "MR_STREAM_CLOSED",
      `push to ${this.#options.source}: it has been ended here`,
    );
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#unconfirmed.forget(connection);
    connection.end();
  }
}

/** The other side said no, and will again: the source is none, or takes nothing any more. */
function isFinal(error: unknown): boolean {
  return error instanceof StreamError && error.code === "MR_NOT_PUSHABLE";
}
