import { RangeSet } from "../../wire/range-set.ts";
import { type Mark, OUTCOMES } from "../contract.ts";
import { stageOf } from "../lanes.ts";
import { FrameIndex } from "./frame-index.ts";
import { type EntryHead, markOf, type Snapshot } from "./ledger-entry.ts";
import { IN_BROKER_OFFSET, type Location } from "./log.ts";
import { RecordIndex } from "./record-index.ts";

/** What is known of a frame beyond its place: only frames that are partly done or marked have this. */
interface Detail {
  readonly done: RangeSet;
  marks: Map<number, Mark> | undefined;
}

export interface StreamState {
  readonly name: string;
  /** Under whose name its items are counted: a stage's lanes are counted together. */
  readonly stage: string;
  readonly index: FrameIndex;
  readonly details: Map<number, Detail>;
  nextFrame: number;
  appended: number;
  /** Items not settled, and of these the ones whose time has not come. */
  unsettled: number;
  /** Of living frames. */
  bytes: number;
  delayed: number;
}

/** What a change of the ledger means to its owner. */
export interface LedgerEvents {
  retain(location: Location): void;
  release(location: Location): void;
  /** A frame can be delivered now, or (`delayMs` above 0) later. */
  appended(stream: string, frame: number, delayMs: number): void;
  /** Nothing of the frame is left to do; `location` is where it lay. */
  settled(stream: string, frame: number, location: Location): void;
  /** Nothing refers to the blob any more. */
  blobFree(blob: string): void;
}

/**
 * The state that the log's entries add up to: living frames, what is done of them, records, counters. The same
 * code applies an entry when it is written and when it is replayed, so that a restart cannot see another state.
 */
export class Ledger {
  readonly streams = new Map<string, StreamState>();
  readonly records = new RecordIndex();
  readonly counters = new Map<string, Map<string, number>>();
  /** Deliveries that refer to a blob. */
  readonly blobs = new Map<string, number>();
  readonly #events: LedgerEvents;
  /** Of new frames, the lowest number. */
  #first = 1;

  constructor(events: LedgerEvents) {
    this.#events = events;
  }

  stream(name: string): StreamState {
    let state = this.streams.get(name);
    if (state === undefined) {
      state = {
        name,
        stage: stageOf(name),
        index: new FrameIndex(),
        details: new Map(),
        nextFrame: this.#first,
        appended: 0,
        unsettled: 0,
        bytes: 0,
        delayed: 0,
      };
      this.streams.set(name, state);
    }
    return state;
  }

  count(stage: string, counter: string, by: number): void {
    let counters = this.counters.get(stage);
    if (counters === undefined) {
      counters = new Map();
      this.counters.set(stage, counters);
    }
    counters.set(counter, (counters.get(counter) ?? 0) + by);
  }

  snapshot(): Snapshot {
    return {
      streams: Object.fromEntries(
        [...this.streams].map(([name, s]) => [name, [s.nextFrame, s.appended] as const]),
      ),
      counts: Object.fromEntries(
        [...this.counters].map(([stage, counters]) => [stage, Object.fromEntries(counters)]),
      ),
      ...(this.#first > 1 ? { first: this.#first } : {}),
      ...(this.blobs.size > 0 ? { blobs: Object.fromEntries(this.blobs) } : {}),
    };
  }

  /** No number was given to a frame yet, in any stream, that is as high. */
  get next(): number {
    let next = this.#first;
    for (const { nextFrame } of this.streams.values()) next = Math.max(next, nextFrame);
    return next;
  }

  /** New frames have this number or a higher one. */
  begin(first: number): void {
    this.#first = first;
    for (const stream of this.streams.values()) stream.nextFrame = Math.max(stream.nextFrame, first);
  }

  restore(snapshot: Snapshot): void {
    this.begin(snapshot.first ?? 1);
    for (const [name, [nextFrame, appended]] of Object.entries(snapshot.streams)) {
      const stream = this.stream(name);
      stream.nextFrame = Math.max(stream.nextFrame, nextFrame);
      stream.appended = Math.max(stream.appended, appended);
    }
    this.blobs.clear();
    for (const [blob, count] of Object.entries(snapshot.blobs ?? {})) this.blobs.set(blob, count);
    this.counters.clear();
    for (const [stage, counters] of Object.entries(snapshot.counts)) {
      this.counters.set(stage, new Map(Object.entries(counters)));
    }
  }

  /**
   * After a log with damaged places was replayed: items whose frame was lost count as quarantined, items whose
   * settlement was lost as placed once more. What is accepted is then settled or unsettled again, nothing else.
   */
  accountForDamage(): void {
    const left = new Map<string, number>();
    for (const { stage, unsettled } of this.streams.values())
      left.set(stage, (left.get(stage) ?? 0) + unsettled);
    for (const [name, unsettled] of left) {
      const counters = this.counters.get(name);
      let settled = 0;
      for (const outcome of OUTCOMES) if (outcome !== "retried") settled += counters?.get(outcome) ?? 0;
      const missing = (counters?.get("accepted") ?? 0) - settled - unsettled;
      if (missing > 0) this.count(name, "quarantined", missing);
      if (missing < 0) {
        this.count(name, "accepted", -missing);
        this.count(name, "repeated:log-damaged", -missing);
      }
    }
  }

  /** Applies one entry, settlements first: an entry may settle a frame's items and put them back as another frame. */
  apply(head: EntryHead, blobs: readonly Location[]): void {
    let blob = 0;
    if (head.l !== undefined) this.begin(head.l);
    for (const [name, frame, from, to, outcome] of head.s ?? []) this.#settle(name, frame, from, to, outcome);
    for (const [name, frame, count, delayMs, isNew, done] of head.a ?? []) {
      this.#append(name, frame, count, delayMs, isNew === 1, done, blobs[blob++] as Location, head.v === 1);
    }
    for (const [key, hasValue] of head.r ?? []) this.#record(key, hasValue === 1 ? blobs[blob++] : undefined);
    for (const [name, frame, count, isNew, bytes, done] of head.q ?? []) {
      const location = {
        segment: (blobs[blob++] as Location).segment,
        offset: IN_BROKER_OFFSET,
        length: bytes,
      };
      this.#append(name, frame, count, 0, isNew === 1, done, location, head.v === 1);
    }
    for (const entry of head.m ?? []) {
      const [name, frame, place] = entry;
      if (this.stream(name).index.countOf(frame) === 0) continue;
      const detail = this.#detail(this.stream(name), frame);
      detail.marks ??= new Map();
      detail.marks.set(place, markOf(entry));
    }
    for (const [stage, counter, by] of head.c ?? []) this.count(stage, counter, by);
    for (const [blob, by] of head.b ?? []) this.#refer(blob, by);
  }

  #refer(blob: string, by: number): void {
    const count = (this.blobs.get(blob) ?? 0) + by;
    if (count > 0) this.blobs.set(blob, count);
    else {
      this.blobs.delete(blob);
      this.#events.blobFree(blob);
    }
  }

  #detail(stream: StreamState, frame: number): Detail {
    let detail = stream.details.get(frame);
    if (detail === undefined) {
      detail = { done: new RangeSet(), marks: undefined };
      stream.details.set(frame, detail);
    }
    return detail;
  }

  #settle(name: string, frame: number, from: number, to: number, outcome: number): void {
    const stream = this.stream(name);
    const count = stream.index.countOf(frame);
    // Its append was lost with a damaged place of the log: there is nothing to settle.
    if (count === 0) return;
    let settled: number;
    let isDone: boolean;
    if (from === 0 && to === count && !stream.details.has(frame)) {
      settled = count;
      isDone = true;
    } else {
      const detail = this.#detail(stream, frame);
      settled = detail.done.add(from, Math.min(to, count));
      isDone = detail.done.size === count;
    }
    stream.unsettled -= settled;
    if (stream.index.delayOf(frame) > 0) stream.delayed -= settled;
    const label = OUTCOMES[outcome];
    if (label !== undefined && label !== "retried") this.count(stream.stage, label, settled);
    if (!isDone) return;
    const location = stream.index.locationOf(frame) as Location;
    stream.bytes -= location.length;
    stream.index.delete(frame);
    stream.details.delete(frame);
    this.#events.release(location);
    this.#events.settled(name, frame, location);
  }

  #append(
    name: string,
    frame: number,
    count: number,
    delayMs: number,
    isNew: boolean,
    done: readonly number[] | undefined,
    location: Location,
    isMove: boolean,
  ): void {
    const stream = this.stream(name);
    if (isMove) {
      const old = stream.index.locationOf(frame);
      if (old !== undefined) {
        // Moved in this life: same frame, other place.
        stream.index.set(frame, location, count, stream.index.delayOf(frame));
        this.#events.retain(location);
        this.#events.release(old);
        return;
      }
    }
    stream.nextFrame = Math.max(stream.nextFrame, frame + 1);
    stream.index.set(frame, location, count, delayMs);
    stream.unsettled += count;
    stream.bytes += location.length;
    if (delayMs > 0) stream.delayed += count;
    if (!isMove) stream.appended += count;
    if (done !== undefined && done.length > 0) {
      const detail = this.#detail(stream, frame);
      for (let i = 0; i < done.length; i += 2) {
        const settled = detail.done.add(done[i] as number, done[i + 1] as number);
        stream.unsettled -= settled;
        if (delayMs > 0) stream.delayed -= settled;
      }
    }
    if (isNew && !isMove) this.count(stream.stage, "accepted", count);
    this.#events.retain(location);
    this.#events.appended(name, frame, delayMs);
  }

  #record(key: string, location: Location | undefined): void {
    const old = this.records.get(key);
    if (location === undefined) this.records.delete(key);
    else {
      this.records.set(key, location);
      this.#events.retain(location);
    }
    if (old !== undefined) this.#events.release(old);
  }

  /** A delayed frame's time has come. */
  release(name: string, frame: number): void {
    const stream = this.stream(name);
    const location = stream.index.locationOf(frame);
    if (location === undefined || stream.index.delayOf(frame) === 0) return;
    const count = stream.index.countOf(frame);
    stream.delayed -= count - (stream.details.get(frame)?.done.size ?? 0);
    stream.index.set(frame, location, count, 0);
  }

  /** Ranges of a living frame that are not settled. */
  pendingOf(name: string, frame: number): [number, number][] {
    const stream = this.stream(name);
    const count = stream.index.countOf(frame);
    if (count === 0) return [];
    const detail = stream.details.get(frame);
    return detail === undefined ? [[0, count]] : [...detail.done.gaps(count)];
  }

  marksOf(name: string, frame: number): ReadonlyMap<number, Mark> | undefined {
    return this.stream(name).details.get(frame)?.marks;
  }
}
