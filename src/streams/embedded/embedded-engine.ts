import type { Env } from "../../env/env.ts";
import { StreamError } from "../../errors.ts";
import type { RecordStore } from "../../records/record-store.ts";
import { bytesOf } from "../../wire/bytes-of.ts";
import { Frame } from "../../wire/frame.ts";
import {
  type Capabilities,
  type Deliveries,
  type Delivery,
  type Durability,
  NOTHING,
  type StreamEngine,
  type StreamStats,
  type Transaction,
} from "../contract.ts";
import { type Commit, CommitLog } from "./commit-log.ts";
import { DelayedFrames } from "./delayed-frames.ts";
import { FrameShelf } from "./frame-shelf.ts";
import type { Ledger } from "./ledger.ts";
import { entryOf, type Snapshot } from "./ledger-entry.ts";
import type { Log, LogDamage } from "./log.ts";
import { Quarantine, type QuarantineListener } from "./quarantine.ts";

/** What is larger is handed out after its confirmation: a socket takes 58 KB in 0.05 to 0.17 ms. */
const LARGE_BYTES = 16 * 1024;

/**
 * The embedded engine: a ledger in memory, kept durable by a log (on disk or, for `memory:`, nowhere) that the
 * frames lie in as well.
 *
 * E1 The ledger changes only after the log has confirmed: what is delivered is durable.
 * E2 Transactions take effect in the order in which they were given.
 */
export class EmbeddedEngine implements StreamEngine {
  readonly capabilities: Capabilities;
  readonly records: RecordStore;
  readonly #commits: CommitLog;
  readonly #ledger: Ledger;
  readonly #shelves = new Map<string, FrameShelf>();
  readonly #delayed: DelayedFrames;
  readonly #quarantine: Quarantine;
  /** Frames whose reading failed once, though they are whole. */
  readonly #readAgain = new Set<string>();
  #onBlobFree: (blob: string) => void = () => undefined;
  /** The commit that takes effect just now has so much in it that handing it out takes time. */
  #isLarge = false;
  readonly #toOffer = new Set<string>();

  private constructor(env: Env, log: (snapshot: () => Snapshot) => Log, survives: Durability) {
    this.capabilities = {
      atomic: true,
      delay: true,
      order: true,
      maxFrameBytes: 1024 * 1024,
      confirmSurvives: survives,
      fencing: "engine",
    };
    this.#commits = new CommitLog(
      env.timers,
      log,
      {
        durable: (commit) => {
          this.#isLarge = bytesOf(commit.blobs) >= LARGE_BYTES;
          this.#cache(commit);
        },
        appended: (stream, frame, delayMs) => {
          if (delayMs > 0) this.#delayed.add(stream, frame, delayMs);
          else if (this.#isLarge) this.#offerSoon(stream);
          else this.#shelves.get(stream)?.offer();
        },
        settled: (stream, frame) => this.#shelves.get(stream)?.forget(frame),
        blobFree: (blob) => this.#onBlobFree(blob),
      },
      (writes) => this.transact({ ...NOTHING, records: writes }),
    );
    this.#ledger = this.#commits.ledger;
    this.records = this.#commits.records;
    this.#delayed = new DelayedFrames(env, this.#ledger, (stream, frame) =>
      this.#shelves.get(stream)?.offerAgain(frame),
    );
    this.#quarantine = new Quarantine(env, this.#ledger, (transaction) => this.transact(transaction));
  }

  /** Opens the log and rebuilds the ledger from it. */
  static async open(
    env: Env,
    log: (snapshot: () => Snapshot) => Log,
    survives: Durability,
  ): Promise<{ engine: EmbeddedEngine; damage: readonly LogDamage[] }> {
    const engine = new EmbeddedEngine(env, log, survives);
    const damage = await engine.#commits.open();
    engine.#delayed.beginAnew();
    return { engine, damage };
  }

  async open(stream: string): Promise<void> {
    this.#ledger.stream(stream);
    if (!this.#shelves.has(stream)) {
      this.#shelves.set(
        stream,
        new FrameShelf(this.#ledger, stream, (frame) => this.#commits.read(stream, frame), {
          onUnreadable: (frame, problem) =>
            void this.#unreadable(stream, frame, problem).catch(() => undefined),
        }),
      );
    }
  }

  consume(stream: string, onDelivery: (delivery: Delivery) => void): Deliveries {
    const shelf = this.#shelves.get(stream);
    if (shelf === undefined)
      throw new StreamError("MR_STREAM_UNKNOWN", `stream ${stream}: it was not opened`);
    return shelf.consume(onDelivery);
  }

  transact(transaction: Transaction): Promise<void> {
    if (this.#commits.isClosed)
      return Promise.reject(new StreamError("MR_STREAM_CLOSED", "embedded engine: it is closed"));
    const { head, blobs } = entryOf(transaction, (stream) => this.#ledger.stream(stream).nextFrame++);
    return new Promise((resolve, reject) => {
      this.#commits.add({ head, blobs, resolve, reject });
    });
  }

  /** The disk is low: what takes room and is of no use any more is to go early. */
  makeRoom(freeBytes?: number): void {
    this.#commits.makeRoom(freeBytes);
  }

  /**
   * Handing out what is large takes as long as flushing it, and who gave it may go on meanwhile: he hears first that it is
   * stored. What is small is in a hurry itself.
   */
  #offerSoon(stream: string): void {
    this.#toOffer.add(stream);
    if (this.#toOffer.size > 1) return;
    // n.b. behind those who wait for the commit: they are called in the next microtask.
    queueMicrotask(() => queueMicrotask(() => this.#offerLarge()));
  }

  #offerLarge(): void {
    const streams = [...this.#toOffer];
    this.#toOffer.clear();
    for (const stream of streams) this.#shelves.get(stream)?.offer();
  }

  #cache({ head, blobs }: Commit): void {
    for (const [i, append] of (head.a ?? []).entries()) {
      const [stream, frame, , delayMs] = append;
      const bytes = blobs[i];
      if (delayMs === 0 && bytes !== undefined) this.#shelves.get(stream)?.remember(frame, bytes as Buffer);
    }
  }

  async #unreadable(stream: string, frame: number, problem: string): Promise<void> {
    if (this.#ledger.pendingOf(stream, frame).length === 0) return;
    const raw = await this.#commits.read(stream, frame).catch(() => Buffer.alloc(0));
    const name = `${stream}/${frame}`;
    if (Frame.check(raw) === undefined && !this.#readAgain.has(name)) {
      // It was the reading that failed, not the frame: it comes once more.
      this.#readAgain.add(name);
      this.#shelves.get(stream)?.offerAgain(frame);
      return;
    }
    await this.#quarantine.take(stream, [frame], problem, raw);
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

  stats(stream: string): StreamStats {
    const { unsettled, bytes, delayed, appended } = this.#ledger.stream(stream);
    return { unsettled, bytes, delayed, appended };
  }

  counts(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#ledger.counters;
  }

  async close(): Promise<void> {
    this.#delayed.close();
    await this.#commits.close();
  }
}
