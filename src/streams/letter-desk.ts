import type { Env } from "../env/env.ts";
import { MillraceError } from "../errors.ts";
import type { StoredDeadLetter } from "../records/dead-letter.ts";
import { type RecordWrite, recordKeys } from "../records/record-store.ts";
import { Frame } from "../wire/frame.ts";
import { gatherFrames, type SingleItem } from "../wire/gather-frames.ts";
import { unpackValue } from "../wire/packing.ts";
import { type Append, type BlobDelta, NOTHING, type StreamEngine } from "./contract.ts";
import { laneCount, partitionOf, streamOf } from "./lanes.ts";

interface Returning extends SingleItem {
  readonly lane: number;
}

/** What became of letters that were to be put back. */
export interface ReplayAnswer {
  readonly replayed: number;
  /** Ids that are not dead (any more). */
  readonly missing: readonly string[];
  /** Ids whose stored bytes are no frame: they stay where they are. */
  readonly unreadable: readonly string[];
}

export interface LetterEdit {
  readonly id: string;
  /** The record as it was read: a letter that is another one by now is left alone. */
  readonly expected: Uint8Array;
  readonly value: Uint8Array;
}

/** A transaction is closed at this size: letters of the largest items are more than one may hold. */
const TRANSACTION_BYTES = 4 * 1024 * 1024;

/**
 * Changes the dead letters of a run.
 *
 * L1 A letter is dead or waiting, never both, never neither: it is taken out by the transaction that puts it back.
 * L2 One change at a time: what it has read is still so when its transaction is made.
 */
export class LetterDesk {
  readonly #env: Env;
  readonly #engine: StreamEngine;
  /** Has a lane handed out that something is put on, where its stage is open. */
  readonly #openLane: (stream: string) => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(env: Env, engine: StreamEngine, openLane: (stream: string) => void) {
    this.#env = env;
    this.#engine = engine;
    this.#openLane = openLane;
  }

  #next<Value>(change: () => Promise<Value>): Promise<Value> {
    const turn = this.#last.then(change);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** A damaged record is set aside by its first reader: there is no such letter any more. */
  async #read(stage: string, id: string): Promise<Buffer | undefined> {
    try {
      return await this.#engine.records.get(recordKeys.deadLetter(stage, id));
    } catch (error) {
      if (error instanceof MillraceError && error.code === "MR_LOG_CORRUPT") return undefined;
      throw error;
    }
  }

  /** Puts letters back on their stage's stream, with their ids and fresh attempts. */
  replay(stage: string, ids: readonly string[]): Promise<ReplayAnswer> {
    return this.#next(async () => {
      let replayed = 0;
      const missing: string[] = [];
      const unreadable: string[] = [];
      const partitions = await this.#partitionsOf(stage);
      let page: Returning[] = [];
      let bytes = 0;
      const commit = async (): Promise<void> => {
        if (page.length > 0) await this.#putBack(stage, page);
        replayed += page.length;
        page = [];
        bytes = 0;
      };
      for (const id of new Set(ids)) {
        const value = await this.#read(stage, id);
        const item = value === undefined ? undefined : itemOf(id, value, partitions);
        if (value === undefined) missing.push(id);
        else if (item === undefined) unreadable.push(id);
        else {
          page.push(item);
          bytes += value.length;
          if (bytes >= TRANSACTION_BYTES) await commit();
        }
      }
      await commit();
      return { replayed, missing, unreadable };
    });
  }

  async #partitionsOf(stage: string): Promise<number> {
    const stored = await this.#engine.records.get(recordKeys.partitions(stage));
    return stored === undefined ? 0 : (unpackValue(stored) as number);
  }

  async #putBack(stage: string, page: readonly Returning[]): Promise<void> {
    const lanes = new Map<string, Returning[]>();
    for (const item of page) {
      const stream = streamOf(stage, item.lane);
      const others = lanes.get(stream);
      if (others === undefined) lanes.set(stream, [item]);
      else others.push(item);
    }
    const appends: Append[] = [];
    for (const [stream, items] of lanes) {
      this.#openLane(stream);
      // The delivery that died stays counted as dead: this is another one.
      for (const { bytes, count } of gatherFrames(items, this.#env.clock.now()))
        appends.push({ stream, frame: bytes, count, delayMs: 0, isNew: true });
    }
    await this.#engine.transact({
      ...NOTHING,
      appends,
      records: page.map(({ meta }) => removal(stage, meta.id as string)),
      counts: [[stage, "replayed", page.length]],
    });
  }

  /** Removes letters for good; gives the ids that are not dead. */
  drop(stage: string, ids: readonly string[]): Promise<{ dropped: number; missing: readonly string[] }> {
    return this.#next(async () => {
      const records: RecordWrite[] = [];
      const blobs: BlobDelta[] = [];
      const missing: string[] = [];
      for (const id of new Set(ids)) {
        const value = await this.#read(stage, id);
        if (value === undefined) missing.push(id);
        else {
          records.push(removal(stage, id));
          blobs.push(...deltasOf(value, -1));
        }
      }
      const counts = [[stage, "dropped", records.length]] as const;
      if (records.length > 0) await this.#engine.transact({ ...NOTHING, records, blobs, counts });
      return { dropped: records.length, missing };
    });
  }

  /** Puts other records in the place of letters, all of them in one step; gives the ids that were others by then. */
  edit(stage: string, edits: readonly LetterEdit[]): Promise<{ edited: number; changed: readonly string[] }> {
    return this.#next(async () => {
      const records: RecordWrite[] = [];
      const blobs: BlobDelta[] = [];
      const changed: string[] = [];
      for (const { id, expected, value } of edits) {
        const stored = await this.#read(stage, id);
        if (stored === undefined || Buffer.compare(stored, expected) !== 0) changed.push(id);
        else {
          records.push({ key: recordKeys.deadLetter(stage, id), value });
          // n.b. first what comes: a blob that both refer to must not be free in between.
          blobs.push(...deltasOf(value, 1), ...deltasOf(stored, -1));
        }
      }
      if (records.length > 0) await this.#engine.transact({ ...NOTHING, records, blobs });
      return { edited: records.length, changed };
    });
  }
}

function removal(stage: string, id: string): RecordWrite {
  return { key: recordKeys.deadLetter(stage, id), value: undefined };
}

/** The item of a letter as it goes back; undefined when its frame cannot be read. */
function itemOf(id: string, value: Uint8Array, partitions = 0): Returning | undefined {
  try {
    const { frame: stored, key, lane = 0, replay = 0 } = unpackValue(value) as StoredDeadLetter;
    const frame = Frame.parse(Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength));
    const { history: _history, refused: _refused, ...meta } = frame.meta?.get(0) ?? {};
    // n.b. the stage may have got, or lost, its order since: a lane of then may be of another kind now.
    const own = lane < laneCount(0) ? lane : 0;
    return {
      frame,
      meta: { ...meta, id, replay: replay + 1 },
      lane: partitions > 0 ? partitionOf(key ?? id, partitions) : own,
    };
  } catch {
    return undefined;
  }
}

/** A letter refers to blobs as the delivery did that died. */
function deltasOf(value: Uint8Array, by: 1 | -1): BlobDelta[] {
  return (itemOf("", value)?.meta.blobs ?? []).map((blob) => [blob, by]);
}
