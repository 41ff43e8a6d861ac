import type { NodeShape } from "../definition/shape.ts";
import type { ErrorInfo } from "../errors.ts";
import type { Mark } from "../streams/contract.ts";
import type { DeliveredRange } from "../streams/protocol.ts";
import { type AttemptInfo, Frame } from "../wire/frame.ts";
import type { ItemDecoder } from "../wire/item-codec.ts";
import type { Said } from "./placement.ts";

/** A delivered range of items, being worked off. */
export class WorkRange {
  /** The frame's number in its stream. */
  readonly number: number;
  /** Place of the first item in that frame. */
  readonly offset: number;
  readonly frame: Frame;
  readonly count: number;
  /** Connection on which it came: results for an earlier one are void. */
  readonly epoch: number;
  #marks: Map<number, Mark> | undefined;
  readonly #decode: (payload: Buffer, start: number, end: number) => unknown;
  /** Next item to be called, and up to where the streams process knows them as begun. */
  next = 0;
  begun: number;

  constructor(delivered: DeliveredRange, bytes: Buffer, decoder: ItemDecoder, epoch: number) {
    this.number = delivered.f;
    this.offset = delivered.o;
    this.frame = Frame.parse(bytes);
    this.count = this.frame.count;
    this.epoch = epoch;
    this.begun = delivered.b ?? 0;
    this.#marks = delivered.m === undefined ? undefined : new Map(delivered.m);
    this.#decode = decoder.for(this.frame.table);
  }

  /** Throws what the codec throws on bytes that are no item. */
  item(index: number): unknown {
    const { starts, payload } = this.frame;
    return this.#decode(payload, starts[index] as number, starts[index + 1] as number);
  }

  markOf(index: number): Mark | undefined {
    return this.#marks?.get(index);
  }

  /** An attempt of an item that keeps its place has failed. */
  setMark(index: number, mark: Mark): void {
    this.#marks ??= new Map();
    this.#marks.set(index, mark);
  }

  /** The failed attempts before this one, oldest first. */
  historyOf(index: number): readonly AttemptInfo[] {
    return this.#marks?.get(index)?.failed?.history ?? this.frame.meta?.get(index)?.history ?? [];
  }

  failuresOf(index: number): number {
    if (this.#marks === undefined && this.frame.meta === undefined) return 0;
    return this.historyOf(index).length;
  }

  /** What a function of its edge threw, if that is why it has failed. */
  refusalOf(index: number): ErrorInfo | undefined {
    return this.frame.meta?.get(index)?.refused;
  }

  /** Of a job's task: its place in the split. */
  positionOf(index: number): number {
    return this.frame.positionOf(index);
  }

  get isSpent(): boolean {
    return this.next >= this.count;
  }
}

/** One item in hand: a place in a range. */
export interface ItemRef {
  readonly range: WorkRange;
  readonly index: number;
}

/** What was said of an item when it was pushed: it goes on with the item to the stages behind the source. */
export function saidOf(node: NodeShape, { range, index }: ItemRef): Said | undefined {
  if (node.input !== "push") return undefined;
  const meta = range.frame.meta?.get(index);
  if (meta === undefined) return undefined;
  const { key, headers, priority, dedupeKey } = meta;
  return {
    ...(key === undefined ? {} : { key }),
    ...(headers === undefined ? {} : { headers }),
    ...(priority === undefined ? {} : { priority }),
    ...(dedupeKey === undefined ? {} : { dedupeKey }),
  };
}
