import type { Env, Timer } from "../../env/env.ts";
import { StreamError } from "../../errors.ts";
import type { RecordStore } from "../../records/record-store.ts";
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
import { FrameShelf } from "./frame-shelf.ts";
import { Ledger } from "./ledger.ts";
import { type EntryHead, entryOf, type Snapshot } from "./ledger-entry.ts";
import type { Location, Log, LogDamage } from "./log.ts";
import { LogRecords } from "./log-records.ts";
import { quarantineOf } from "./quarantine-of.ts";
import { entriesIn } from "./stragglers.ts";

interface Waiting {
  readonly head: EntryHead;
  readonly blobs: readonly Uint8Array[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A system's timer does not count further. */
const MAX_TIMER_MS = 2 ** 31 - 1;

type QuarantineListener = (stream: string, frame: number, items: number, problem: string) => void;

/**
 * The embedded engine: a ledger in memory, kept durable by a log (on disk or, for `memory:`, nowhere).
 *
 * E1 The ledger changes only after the log has confirmed: what is delivered is durable.
 * E2 Transactions take effect in the order in which they were given.
 */
export class EmbeddedEngine implements StreamEngine {
  readonly capabilities: Capabilities;
  readonly records: RecordStore;
  readonly #env: Env;
  readonly #log: Log;
  readonly #ledger: Ledger;
  readonly #shelves = new Map<string, FrameShelf>();
  readonly #timers = new Set<Timer>();
  /** Frames whose reading failed once, though they are whole. */
  readonly #readAgain = new Set<string>();
  readonly #quarantineListeners: QuarantineListener[] = [];
  #waiting: Waiting[] = [];
  #committing: Promise<void> | undefined;
  #onBlobFree: (blob: string) => void = () => undefined;
  #replaying = true;
  #closed = false;
  #isRoomNeeded = false;

  private constructor(env: Env, log: (snapshot: () => Snapshot) => Log, survives: Durability) {
    this.#env = env;
    this.capabilities = {
      atomic: true,
      delay: true,
      order: true,
      maxFrameBytes: 1024 * 1024,
      confirmSurvives: survives,
      fencing: "engine",
    };
    this.#log = log(() => this.#ledger.snapshot());
    this.#ledger = new Ledger({
      retain: (location) => this.#log.retain(location),
      release: (location) => this.#log.release(location),
      appended: (stream, frame, delayMs) => {
        if (this.#replaying) return;
        if (delayMs > 0) this.#delay(stream, frame, delayMs);
        else this.#shelves.get(stream)?.offer();
      },
      settled: (stream, frame) => this.#shelves.get(stream)?.forget(frame),
      blobFree: (blob) => {
        if (!this.#replaying) this.#onBlobFree(blob);
      },
    });
    this.records = new LogRecords(
      this.#ledger.records,
      (location) => this.#log.read(location),
      (writes) => this.transact({ ...NOTHING, records: writes }),
    );
  }

  /** Opens the log and rebuilds the ledger from it. */
  static async open(
    env: Env,
    log: (snapshot: () => Snapshot) => Log,
    survives: Durability,
  ): Promise<{ engine: EmbeddedEngine; damage: readonly LogDamage[] }> {
    const engine = new EmbeddedEngine(env, log, survives);
    const damage = await engine.#log.open((head, blobs) => {
      const { snapshot } = head as { snapshot?: Snapshot };
      if (snapshot !== undefined) engine.#ledger.restore(snapshot);
      else engine.#ledger.apply(head as EntryHead, blobs);
    });
    engine.#replaying = false;
    if (damage.some((place) => place.kind === "damaged")) engine.#ledger.accountForDamage();
    for (const { name, index, delayed } of engine.#ledger.streams.values()) {
      if (delayed === 0) continue;
      for (const frame of index.frames())
        if (index.delayOf(frame) > 0) engine.#delay(name, frame, index.delayOf(frame));
    }
    return { engine, damage };
  }

  async open(stream: string): Promise<void> {
    this.#ledger.stream(stream);
    if (!this.#shelves.has(stream)) {
      this.#shelves.set(
        stream,
        new FrameShelf(this.#ledger, stream, (frame) => this.#read(stream, frame), {
          onUnreadable: (frame, problem) => this.#quarantine(stream, frame, problem),
        }),
      );
    }
  }

  consume(stream: string, onDelivery: (delivery: Delivery) => void): Deliveries {
    return this.#shelf(stream).consume(onDelivery);
  }

  #shelf(stream: string): FrameShelf {
    const shelf = this.#shelves.get(stream);
    if (shelf === undefined)
      throw new StreamError("MR_STREAM_UNKNOWN", `stream ${stream}: it was not opened`);
    return shelf;
  }

  transact(transaction: Transaction): Promise<void> {
    if (this.#closed)
      return Promise.reject(new StreamError("MR_STREAM_CLOSED", "embedded engine: it is closed"));
    const { head, blobs } = entryOf(transaction, (stream) => this.#ledger.stream(stream).nextFrame++);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ head, blobs, resolve, reject });
      this.#committing ??= this.#commitLoop();
    });
  }

  /** Group commit: whatever has come while a write and its flush were in flight is the next group. */
  async #commitLoop(): Promise<void> {
    // Let everything that arrived in this turn of the loop into the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#isRoomNeeded) {
      if (this.#isRoomNeeded) {
        this.#isRoomNeeded = false;
        await this.#tidy(true);
        continue;
      }
      const group = this.#waiting;
      this.#waiting = [];
      let locations: readonly (readonly Location[])[];
      try {
        locations = await this.#log.append(group);
      } catch (error) {
        // What came meanwhile may build on it - a source's next token, say - and must not become durable without it.
        const later = this.#waiting;
        this.#waiting = [];
        for (const entry of [...group, ...later]) entry.reject(error);
        continue;
      }
      for (const [i, entry] of group.entries()) {
        const places = locations[i] as readonly Location[];
        this.#cache(entry);
        this.#ledger.apply(entry.head, places);
        entry.resolve();
      }
      await this.#tidy(false);
    }
    this.#committing = undefined;
  }

  /** The disk is low: what takes room and is of no use any more is to go early. */
  makeRoom(): void {
    if (this.#closed) return;
    this.#isRoomNeeded = true;
    this.#committing ??= this.#commitLoop();
  }

  async #tidy(isRoomNeeded: boolean): Promise<void> {
    try {
      await this.#moveStragglers(isRoomNeeded);
      if (isRoomNeeded) await this.#log.shrink();
    } catch {
      // They stay where they are: the disk is full, or a blob cannot be read. It is tried again.
    }
  }

  #cache(entry: Waiting): void {
    for (const [i, append] of (entry.head.a ?? []).entries()) {
      const [stream, frame, , delayMs] = append;
      const bytes = entry.blobs[i];
      if (delayMs === 0 && bytes !== undefined) this.#shelves.get(stream)?.remember(frame, bytes as Buffer);
    }
  }

  /** Copies what still lives in the oldest segment forward, so that the segment can go. */
  async #moveStragglers(isRoomNeeded = false): Promise<void> {
    const segment = this.#log.segmentToEmpty(isRoomNeeded);
    if (segment === undefined) return;
    const { entries, damaged } = await entriesIn(segment, this.#ledger, (location) =>
      this.#log.read(location),
    );
    // A damaged record is for its reader to set aside; it must not keep the others here.
    for (const key of damaged) void this.records.get(key).catch(() => undefined);
    const locations = await this.#log.append(entries);
    for (const [i, entry] of entries.entries()) {
      this.#ledger.apply(entry.head as EntryHead, locations[i] as readonly Location[]);
    }
  }

  #delay(stream: string, frame: number, delayMs: number): void {
    const step = Math.min(delayMs, MAX_TIMER_MS);
    const timer = this.#env.timers.after(step, () => {
      this.#timers.delete(timer);
      if (delayMs > step) {
        this.#delay(stream, frame, delayMs - step);
        return;
      }
      this.#ledger.release(stream, frame);
      this.#shelves.get(stream)?.offerAgain(frame);
    });
    this.#timers.add(timer);
  }

  async #read(stream: string, frame: number): Promise<Buffer> {
    const { index } = this.#ledger.stream(stream);
    for (;;) {
      const location = index.locationOf(frame);
      if (location === undefined)
        throw new StreamError("MR_STREAM_CLOSED", `stream ${stream}: frame ${frame} is gone`);
      const read = await Promise.allSettled([this.#log.read(location)]);
      const now = index.locationOf(frame);
      // n.b. moved meanwhile: its segment may have gone under the reader.
      if (now !== undefined && (now.segment !== location.segment || now.offset !== location.offset)) continue;
      if (read[0].status === "rejected") throw read[0].reason;
      return read[0].value;
    }
  }

  #quarantine(stream: string, frame: number, problem: string): void {
    const pending = this.#ledger.pendingOf(stream, frame);
    const items = pending.reduce((sum, [from, to]) => sum + to - from, 0);
    if (items === 0) return;
    void this.#quarantineNow(stream, frame, pending, items, problem).catch(() => undefined);
  }

  async #quarantineNow(
    stream: string,
    frame: number,
    pending: readonly (readonly [number, number])[],
    items: number,
    problem: string,
  ): Promise<void> {
    const raw = await this.#read(stream, frame).catch(() => Buffer.alloc(0));
    const name = `${stream}/${frame}`;
    if (Frame.check(raw) === undefined && !this.#readAgain.has(name)) {
      // It was the reading that failed, not the frame: it comes once more.
      this.#readAgain.add(name);
      this.#shelves.get(stream)?.offerAgain(frame);
      return;
    }
    const at = this.#env.clock.now();
    await this.transact(quarantineOf({ stream, frame, pending, items, problem, at, raw }));
    for (const listener of this.#quarantineListeners) listener(stream, frame, items, problem);
  }

  onQuarantine(listener: QuarantineListener): void {
    this.#quarantineListeners.push(listener);
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
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    // n.b. first, or what came while the last group was written would be written to a closed log.
    this.#closed = true;
    await this.#committing;
    await this.#log.close();
  }
}
