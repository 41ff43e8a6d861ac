import type { EngineOptions } from "../../definition/engine-options.ts";
import type { Env } from "../../env/env.ts";
import { StreamError } from "../../errors.ts";
import type { RecordStore } from "../../records/record-store.ts";
import {
  type Append,
  type Capabilities,
  type ConsumeOptions,
  type Deliveries,
  type Delivery,
  type Durability,
  NOTHING,
  type StreamEngine,
  type StreamStats,
  type Transaction,
} from "../contract.ts";
import { CommitLog } from "../embedded/commit-log.ts";
import { DelayedFrames } from "../embedded/delayed-frames.ts";
import type { Ledger } from "../embedded/ledger.ts";
import { entryOf, type Snapshot } from "../embedded/ledger-entry.ts";
import { IN_BROKER_OFFSET, type Log, type LogDamage } from "../embedded/log.ts";
import { Quarantine, type QuarantineListener } from "../embedded/quarantine.ts";
import { laneOf, stageOf } from "../lanes.ts";
import type { Arrival, Broker, QueueNames } from "./broker.ts";
import { BrokerShelf } from "./broker-shelf.ts";
import { CommitLine } from "./commit-line.ts";
import { LossWatch } from "./loss-watch.ts";
import { lost, notOurs } from "./set-aside.ts";
import { SteadyBroker } from "./steady-broker.ts";
import { weaker } from "./weaker.ts";

export interface BrokerEngineOptions {
  readonly log: (snapshot: () => Snapshot) => Log;
  /** What the log survives. */
  readonly survives: Durability;
  readonly broker: Broker;
  readonly queueOf: QueueNames;
  /** What a stage says about its queues. */
  readonly stageOptions?: Readonly<Record<string, EngineOptions>> | undefined;
  /** Wait for a broker that cannot be reached. */
  readonly waits: boolean;
  /** After so long a new session has brought all that an earlier one had in its hands. */
  readonly settleMs?: number;
}

/** Numbers of a life begin so far behind those of the one before that none which it gave out is given again. */
const BLOCK = 2 ** 20;
const MAX_FRAME_BYTES = 1024 * 1024;
/** Any broker takes a frame of this size: what is larger lies in the log while it is not known what this one takes. */
const SURE_FRAME_BYTES = 64 * 1024;
/** Of all streams together: what has come from the broker and is not handed out. */
const AHEAD_BYTES = 64 * 1024 * 1024;

/**
 * Frames lie in a broker's queues, the ledger beside them in a log of this machine: a frame counts only when the
 * ledger names it.
 *
 * B1 A transaction is committed by its entry in the log; the frames that it appends were confirmed by the broker before.
 * B2 Transactions take effect in the order in which they were given, as far as that matters; see {@link CommitLine}.
 * B3 A message whose number the ledger does not know as living is acknowledged and dropped: its transaction never
 *    committed, or it is settled. So each committed item is handed out, and nothing else.
 * B4 What waits for its time, and what is too large for the broker, lies in the log as the embedded engine has it.
 */
export class BrokerEngine implements StreamEngine {
  readonly records: RecordStore;
  readonly #env: Env;
  readonly #options: BrokerEngineOptions;
  readonly #commits: CommitLog;
  readonly #ledger: Ledger;
  readonly #line: CommitLine;
  readonly #steady: SteadyBroker;
  readonly #shelves = new Map<string, BrokerShelf>();
  readonly #delayed: DelayedFrames;
  readonly #quarantine: Quarantine;
  readonly #lossWatch: LossWatch;
  #onBlobFree: (blob: string) => void = () => undefined;
  #onTrouble: (text: string | undefined) => void = () => undefined;
  #trouble: string | undefined;
  #onNotice: (text: string) => void = () => undefined;

  private constructor(env: Env, options: BrokerEngineOptions) {
    this.#env = env;
    this.#options = options;
    this.#commits = new CommitLog(
      env.timers,
      options.log,
      {
        durable: () => undefined,
        appended: (stream, frame, delayMs) => {
          if (delayMs > 0) this.#delayed.add(stream, frame, delayMs);
          else this.#shelves.get(stream)?.appended(frame);
        },
        settled: (stream, frame, { offset }) =>
          this.#shelves.get(stream)?.settled(frame, offset === IN_BROKER_OFFSET),
        blobFree: (blob) => this.#onBlobFree(blob),
      },
      (writes) => this.transact({ ...NOTHING, records: writes }),
    );
    this.#ledger = this.#commits.ledger;
    this.records = this.#commits.records;
    this.#line = new CommitLine(env, this.#commits, (stream, frame) =>
      this.#shelves.get(stream)?.refused(frame),
    );
    this.#delayed = new DelayedFrames(env, this.#ledger, (stream, frame) =>
      this.#shelves.get(stream)?.offerAgain(frame),
    );
    this.#quarantine = new Quarantine(env, this.#ledger, (transaction) => this.transact(transaction));
    this.#steady = new SteadyBroker(
      env,
      options.broker,
      {
        lost: () => {
          for (const shelf of this.#shelves.values()) shelf.lost();
        },
        trouble: (text) => {
          this.#trouble = text;
          this.#onTrouble(text);
        },
      },
      options.settleMs,
    );
    this.#lossWatch = new LossWatch(env, this.#steady, this.#shelves, (shelf, frames) =>
      this.#takeLost(shelf.stream, frames),
    );
  }

  get capabilities(): Capabilities {
    const { survives } = this.#options;
    return {
      atomic: true,
      delay: true,
      order: true,
      // n.b. what the broker does not take lies in the log.
      maxFrameBytes: MAX_FRAME_BYTES,
      confirmSurvives: weaker(survives, this.#steady.session?.confirmSurvives ?? survives),
      fencing: "streams-process",
    };
  }

  /** Opens the log, rebuilds the ledger from it, and connects to the broker. */
  static async open(
    env: Env,
    options: BrokerEngineOptions,
  ): Promise<{ engine: BrokerEngine; damage: readonly LogDamage[] }> {
    const engine = new BrokerEngine(env, options);
    try {
      const damage = await engine.#commits.open();
      await engine.#beginLife();
      engine.#delayed.beginAnew();
      const hasFrames = [...engine.#ledger.streams.values()].some(({ unsettled }) => unsettled > 0);
      await engine.#steady.start(options.waits, hasFrames);
      return { engine, damage };
    } catch (error) {
      await engine.close().catch(() => undefined);
      throw error;
    }
  }

  async #beginLife(): Promise<void> {
    const first = (Math.ceil(this.#ledger.next / BLOCK) + 1) * BLOCK;
    await new Promise<void>((resolve, reject) => {
      this.#commits.add({ head: { l: first }, blobs: [], resolve, reject });
    });
  }

  async open(stream: string): Promise<void> {
    if (this.#shelves.has(stream)) return;
    const { queueOf, stageOptions } = this.#options;
    const name = queueOf(stream);
    const like = stageOptions?.[stageOf(stream)];
    // n.b. a lane is made when something comes into it, and most lanes never have anything: it would take its time.
    const isNeeded = laneOf(stream) === 0 || this.#ledger.stream(stream).unsettled > 0;
    // n.b. a run that goes on has its queues, and instances that come back before its streams are open are refused.
    const queue =
      isNeeded && !this.#options.waits
        ? await this.#steady.declare(name, like).catch((error: unknown) => this.#undo(stream, error))
        : this.#steady.queue(name, like);
    const shelf = new BrokerShelf(this.#env, this.#ledger, stream, queue, {
      read: (frame) => this.#commits.read(stream, frame),
      onUnreadable: (frame, problem, raw) => void this.#unreadable(stream, frame, problem, raw),
      onForeign: (arrival) => void this.#foreign(stream, arrival),
      isSettled: () => this.#steady.isSettled,
      onNotice: (text) => this.#onNotice(text),
    });
    this.#shelves.set(stream, shelf);
    for (const each of this.#shelves.values()) each.shareBytes = AHEAD_BYTES / this.#shelves.size;
  }

  /** The broker has something against a queue: a run that has not begun leaves none behind there. */
  async #undo(stream: string, error: unknown): Promise<never> {
    const hasBegun = [...this.#ledger.streams.values()].some(({ appended }) => appended > 0);
    const queues = [...this.#shelves.keys(), stream].map(this.#options.queueOf);
    if (!hasBegun) await this.#steady.drop(queues, 0).catch(() => undefined);
    throw error;
  }

  consume(stream: string, onDelivery: (delivery: Delivery) => void, options?: ConsumeOptions): Deliveries {
    const shelf = this.#shelves.get(stream);
    if (shelf === undefined) throw unknown(stream);
    return shelf.consume(onDelivery, options?.inOrder === true);
  }

  transact(transaction: Transaction): Promise<void> {
    if (this.#commits.isClosed)
      return Promise.reject(new StreamError("MR_STREAM_CLOSED", "broker engine: it is closed"));
    for (const { stream } of transaction.appends)
      if (!this.#shelves.has(stream)) return Promise.reject(unknown(stream));
    const most = this.#steady.maxFrameBytes ?? SURE_FRAME_BYTES;
    // n.b. all of them, or the entry would give a frame that lies in the log its place before those around it.
    const hasLarge = transaction.appends.some(({ frame, delayMs }) => delayMs === 0 && frame.length > most);
    const queued: Append[] = [];
    const { head, blobs } = entryOf(
      transaction,
      (stream) => this.#ledger.stream(stream).nextFrame++,
      (append) => {
        if (append.delayMs > 0 || hasLarge) return false;
        queued.push(append);
        return true;
      },
    );
    const publications = queued.map(({ stream, frame }, i) => {
      const { queue } = this.#shelves.get(stream) as BrokerShelf;
      return queue.publish(head.q?.[i]?.[1] as number, frame);
    });
    return this.#line.add(head, blobs, publications);
  }

  async #unreadable(
    stream: string,
    frame: number,
    problem: string,
    fromBroker: Buffer | undefined,
  ): Promise<void> {
    const raw = fromBroker ?? (await this.#commits.read(stream, frame).catch(() => Buffer.alloc(0)));
    await this.#quarantine.take(stream, [frame], problem, raw).catch(() => undefined);
  }

  /** A message that no life of this engine published: kept aside before the broker may forget it. */
  async #foreign(stream: string, arrival: Arrival): Promise<void> {
    const number = this.#ledger.stream(stream).nextFrame++;
    try {
      await this.#quarantine.takeForeign(stream, number, notOurs(arrival.number), arrival.bytes);
    } catch {
      // It stays in our hands, and comes again with the next session.
      return;
    }
    arrival.ack();
  }

  async #takeLost(stream: string, frames: readonly number[]): Promise<void> {
    let items = 0;
    for (const frame of frames)
      for (const [from, to] of this.#ledger.pendingOf(stream, frame)) items += to - from;
    const problem = lost(frames.length, items);
    await this.#quarantine.take(stream, frames, problem, Buffer.alloc(0)).catch(() => undefined);
  }

  /** The disk of the log is low: what takes room and is of no use any more is to go early. */
  makeRoom(freeBytes?: number): void {
    this.#commits.makeRoom(freeBytes);
  }

  onQuarantine(listener: QuarantineListener): void {
    this.#quarantine.onQuarantine(listener);
  }

  onBlobFree(listener: (blob: string) => void): void {
    this.#onBlobFree = listener;
  }

  holdsBlob(blob: string): boolean {
    return this.#ledger.blobs.has(blob);
  }

  onTrouble(listener: (text: string | undefined) => void): void {
    this.#onTrouble = listener;
    if (this.#trouble !== undefined) listener(this.#trouble);
  }

  onNotice(listener: (text: string) => void): void {
    this.#onNotice = listener;
  }

  stats(stream: string): StreamStats {
    const { unsettled, bytes, delayed, appended } = this.#ledger.stream(stream);
    return { unsettled, bytes, delayed, appended };
  }

  counts(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#ledger.counters;
  }

  /** Removes the queues of all streams that the run ever had. */
  async retire(): Promise<void> {
    this.#lossWatch.close();
    await this.#steady.drop([...this.#ledger.streams.keys()].map(this.#options.queueOf));
  }

  async close(): Promise<void> {
    this.#lossWatch.close();
    this.#line.close();
    this.#delayed.close();
    await this.#steady.close();
    await this.#commits.close();
  }
}

const unknown = (stream: string): StreamError =>
  new StreamError("MR_STREAM_UNKNOWN", `stream ${stream}: it was not opened`);
