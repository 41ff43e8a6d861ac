import type { Timer, Timers } from "../../env/env.ts";
import { StreamError } from "../../errors.ts";
import type { RecordStore, RecordWrite } from "../../records/record-store.ts";
import { Ledger, type LedgerEvents } from "./ledger.ts";
import type { EntryHead, Snapshot } from "./ledger-entry.ts";
import type { Location, Log, LogDamage } from "./log.ts";
import { LogRecords } from "./log-records.ts";
import { entriesIn } from "./stragglers.ts";

/** Segments that are moved while commits wait, when the disk is low. */
const MOVED_AT_A_TIME = 4;

/** An entry on its way to the log, and who waits for it. */
export interface Commit {
  readonly head: EntryHead;
  readonly blobs: readonly Uint8Array[];
  resolve(): void;
  reject(error: unknown): void;
}

/** What the owner of a commit log is told; nothing of what is only replayed. */
export interface CommitEvents extends Pick<LedgerEvents, "appended" | "settled" | "blobFree"> {
  /** It is durable, and about to take effect. */
  durable(commit: Commit): void;
}

/**
 * A ledger in memory and the log that keeps it durable.
 *
 * C1 The ledger changes only after the log has confirmed.
 * C2 Entries take effect in the order in which they were added; when one is refused, so is all that was added since.
 * C3 An entry that only settles holds nobody up: it waits a little for others, so that a push or a hand-over does not find
 *    the disk busy with it. With the next of those it goes at once.
 */
export class CommitLog {
  readonly ledger: Ledger;
  readonly records: RecordStore;
  readonly #log: Log;
  readonly #events: CommitEvents;
  readonly #timers: Timers;
  #waiting: Commit[] = [];
  /** One of those that wait holds somebody up, or has waited long enough. */
  #isDue = false;
  #linger: Timer | undefined;
  #committing: Promise<void> | undefined;
  #isReplaying = true;
  #isClosed = false;
  /** What the disk has left, when it is low and nothing has been done about that yet. */
  #roomNeeded: number | undefined;

  /** `write` puts records through the owner's own transactions. */
  constructor(
    timers: Timers,
    log: (snapshot: () => Snapshot) => Log,
    events: CommitEvents,
    write: (writes: readonly RecordWrite[]) => Promise<void>,
  ) {
    this.#timers = timers;
    this.#events = events;
    this.#log = log(() => this.ledger.snapshot());
    this.ledger = new Ledger({
      retain: (location) => this.#log.retain(location),
      release: (location) => this.#log.release(location),
      appended: (stream, frame, delayMs) => {
        if (!this.#isReplaying) events.appended(stream, frame, delayMs);
      },
      settled: (stream, frame, location) => events.settled(stream, frame, location),
      blobFree: (blob) => {
        if (!this.#isReplaying) events.blobFree(blob);
      },
    });
    this.records = new LogRecords(this.ledger.records, (location) => this.#log.read(location), write);
  }

  /** Opens the log and rebuilds the ledger from it. To be called once, before anything else. */
  async open(): Promise<readonly LogDamage[]> {
    const damage = await this.#log.open((head, blobs) => {
      const { snapshot } = head as { snapshot?: Snapshot };
      if (snapshot !== undefined) this.ledger.restore(snapshot);
      else this.ledger.apply(head as EntryHead, blobs);
    });
    this.#isReplaying = false;
    if (damage.some((place) => place.kind === "damaged")) this.ledger.accountForDamage();
    return damage;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  add(commit: Commit): void {
    this.#waiting.push(commit);
    const { lingerMs = 0 } = this.#log;
    if (lingerMs === 0 || !isPatient(commit.head)) this.#hurry();
    // n.b. once for all: the first of them began the time.
    else this.#linger ??= this.#timers.after(lingerMs, () => this.#hurry());
  }

  #hurry(): void {
    this.#linger?.cancel();
    this.#linger = undefined;
    if (this.#waiting.length === 0) return;
    this.#isDue = true;
    this.#committing ??= this.#commitLoop();
  }

  /** Group commit: whatever has come while a write and its flush were in flight is the next group. */
  async #commitLoop(): Promise<void> {
    // Let everything that arrived in this turn of the loop into the first group.
    await Promise.resolve();
    while (this.#isDue || this.#roomNeeded !== undefined) {
      if (this.#roomNeeded !== undefined) {
        const freeBytes = this.#roomNeeded;
        this.#roomNeeded = undefined;
        await this.#tidy(freeBytes);
        continue;
      }
      const group = this.#nextGroup();
      this.#isDue = this.#waiting.length > 0;
      let locations: readonly (readonly Location[])[];
      try {
        locations = await this.#log.append(group);
      } catch (error) {
        // What came meanwhile may build on it - a source's next token, say - and must not become durable without it.
        const later = this.#waiting;
        this.#waiting = [];
        this.#isDue = false;
        for (const commit of [...group, ...later]) commit.reject(error);
        continue;
      }
      for (const [i, commit] of group.entries()) {
        this.#events.durable(commit);
        this.ledger.apply(commit.head, locations[i] as readonly Location[]);
        commit.resolve();
      }
      await this.#tidy();
    }
    this.#committing = undefined;
  }

  /** What waits, as far as it is to be written at once. */
  #nextGroup(): Commit[] {
    const { groupBytes = Number.POSITIVE_INFINITY } = this.#log;
    let bytes = 0;
    const end = this.#waiting.findIndex(({ blobs }) => {
      for (const { byteLength } of blobs) bytes += byteLength;
      return bytes > groupBytes;
    });
    // n.b. one that is larger goes alone.
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : Math.max(1, end));
  }

  /** The disk is low, and has so much left: what takes room and is of no use any more is to go early. */
  makeRoom(freeBytes = Number.POSITIVE_INFINITY): void {
    if (this.#isClosed) return;
    this.#roomNeeded = freeBytes;
    this.#committing ??= this.#commitLoop();
  }

  async #tidy(freeBytes?: number): Promise<void> {
    try {
      const most = freeBytes === undefined ? 1 : MOVED_AT_A_TIME;
      for (let i = 0; i < most; i++) {
        // n.b. each is gone before the next is moved, so that no more than one is there twice.
        const hasMoved = await this.#moveStragglers(freeBytes);
        if (freeBytes !== undefined) await this.#log.shrink();
        if (!hasMoved) break;
      }
    } catch {
      // They stay where they are: the disk is full, or a blob cannot be read. It is tried again.
    }
  }

  /** Copies what still lives in the oldest segment forward, so that the segment can go. */
  async #moveStragglers(freeBytes: number | undefined): Promise<boolean> {
    const segment = this.#log.segmentToEmpty(freeBytes);
    if (segment === undefined) return false;
    const { entries, damaged } = await entriesIn(segment, this.ledger, (location) =>
      this.#log.read(location),
    );
    // A damaged record is for its reader to set aside; it must not keep the others here.
    for (const key of damaged) void this.records.get(key).catch(() => undefined);
    const locations = await this.#log.append(entries);
    for (const [i, entry] of entries.entries()) {
      this.ledger.apply(entry.head as EntryHead, locations[i] as readonly Location[]);
    }
    return true;
  }

  /** The bytes of a living frame that lies in the log. */
  async read(stream: string, frame: number): Promise<Buffer> {
    const { index } = this.ledger.stream(stream);
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

  async close(): Promise<void> {
    // n.b. first, or what came while the last group was written would be written to a closed log.
    this.#isClosed = true;
    this.#hurry();
    await this.#committing;
    await this.#log.close();
  }
}

/** It settles and counts, and nothing is put out or recorded: nobody is held up by it, and lost it is one delivery more. */
function isPatient(head: EntryHead): boolean {
  for (const part in head) if (part !== "s" && part !== "c") return false;
  return true;
}
