import type { Env, Timer } from "../env/env.ts";
import { laneOfHandle } from "../streams/lanes.ts";
import type { Credit } from "./credit.ts";
import type { Group } from "./groups.ts";
import type { ItemRef } from "./work.ts";

interface Waiting {
  readonly ref: ItemRef;
  /** Monotonic time before which it is not called. */
  readonly notBefore: number;
}

interface Key {
  readonly name: string;
  /** Items that are being dealt with: called, or on the way there. */
  passed: number;
  /** The open batch that all of these are in. */
  group: Group | undefined;
  /** In the order in which they were placed. */
  readonly waiting: Waiting[];
  isReady: boolean;
  timer: Timer | undefined;
}

export interface KeyOrderParts {
  readonly env: Env;
  readonly credit: Credit;
  /** An item that waited for its key may go on. */
  onReady(): void;
  /** Calls of a lane that outlived their connection have ended. */
  onFreed(lane: number): void;
}

/**
 * Keeps the items of a key of an ordered stage in order, in one instance.
 *
 * Q1 Items of one key are dealt with one after the other, in the order of their places; those of one batch together.
 * Q2 An item that failed and keeps its place waits here for its next attempt, and those behind it wait for it.
 * Q3 A call that outlives its connection keeps its key until it ends, though the item will come again.
 */
export class KeyOrder {
  readonly #parts: KeyOrderParts;
  readonly #keys = new Map<string, Key>();
  /** Keys whose first item may go on. */
  readonly #ready: Key[] = [];
  /** Items that user code has in hand, each with how often. */
  readonly #running = new Map<ItemRef, number>();
  /** Of these, the ones that came over an earlier connection. */
  #void = new Set<ItemRef>();

  constructor(parts: KeyOrderParts) {
    this.#parts = parts;
  }

  /** Whether an item that has just come may go on; into this open batch, where there is one. */
  mayPass(ref: ItemRef, group?: Group): boolean {
    if (delayOf(ref) > 0) return false;
    const key = this.#keys.get(nameOf(ref));
    if (key === undefined) return true;
    if (key.waiting.length > 0) return false;
    return key.passed === 0 || (group !== undefined && key.group === group);
  }

  /** It goes on. */
  pass(ref: ItemRef): void {
    const key = this.#key(ref);
    key.passed++;
    key.group = undefined;
  }

  /** It has gone into a batch that is still open. */
  joined(ref: ItemRef, group: Group): void {
    this.#key(ref).group = group;
  }

  /** It waits until the items before it are done. */
  park(ref: ItemRef): void {
    this.#wait(ref, delayOf(ref));
  }

  /** It has failed, and is to be tried again before any other of its key. */
  hold(ref: ItemRef, delayMs: number): void {
    this.#wait(ref, delayMs);
  }

  #key(ref: ItemRef): Key {
    const name = nameOf(ref);
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = { name, passed: 0, group: undefined, waiting: [], isReady: false, timer: undefined };
      this.#keys.set(name, key);
    }
    return key;
  }

  #wait(ref: ItemRef, delayMs: number): void {
    const key = this.#key(ref);
    const { waiting } = key;
    const notBefore = delayMs > 0 ? this.#parts.env.clock.mono() + delayMs : 0;
    const last = waiting.at(-1);
    if (last === undefined || isBefore(last.ref, ref)) waiting.push({ ref, notBefore });
    else {
      const at = waiting.findIndex((other) => isBefore(ref, other.ref));
      waiting.splice(at, 0, { ref, notBefore });
    }
    this.#parts.credit.waiting++;
    this.#settle(key);
  }

  /** Lets the first of a key go on, or sees to it that it will. */
  #settle(key: Key): void {
    key.timer?.cancel();
    key.timer = undefined;
    if (key.passed > 0 || key.isReady) return;
    const [first] = key.waiting;
    if (first === undefined) {
      this.#keys.delete(key.name);
      return;
    }
    const waitMs = first.notBefore - this.#parts.env.clock.mono();
    if (first.notBefore > 0 && waitMs > 0) {
      key.timer = this.#parts.env.timers.after(waitMs, () => this.#settle(key));
      return;
    }
    key.isReady = true;
    this.#ready.push(key);
    this.#parts.onReady();
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  /** The next item that may go on, having waited. */
  next(): ItemRef | undefined {
    return this.#ready[0]?.waiting[0]?.ref;
  }

  /** It goes on. */
  shift(): void {
    const key = this.#ready.shift();
    const first = key?.waiting.shift();
    if (key === undefined || first === undefined) return;
    key.isReady = false;
    this.#parts.credit.waiting--;
    this.pass(first.ref);
  }

  /** User code gets them in hand. */
  enter(refs: readonly ItemRef[]): void {
    for (const ref of refs) this.#running.set(ref, (this.#running.get(ref) ?? 0) + 1);
  }

  /** It is dealt with once more, by a hook, before it is done. */
  again(ref: ItemRef): void {
    this.#key(ref).passed++;
    this.enter([ref]);
  }

  /** They are done: settled, failed or void. */
  leave(refs: readonly ItemRef[]): void {
    for (const ref of refs) {
      const times = this.#running.get(ref) ?? 0;
      if (times > 1) this.#running.set(ref, times - 1);
      else {
        this.#running.delete(ref);
        this.#leaveVoid(ref);
      }
      const key = this.#keys.get(nameOf(ref));
      if (key === undefined) continue;
      key.passed--;
      this.#settle(key);
    }
  }

  #leaveVoid(ref: ItemRef): void {
    if (!this.#void.delete(ref)) return;
    const lane = laneOfHandle(ref.range.number);
    if (!this.busyLanes().includes(lane)) this.#parts.onFreed(lane);
  }

  /** The connection is lost: all items come again, but what user code has in hand keeps its key. */
  lost(): void {
    for (const key of this.#keys.values()) key.timer?.cancel();
    this.#keys.clear();
    this.#ready.length = 0;
    this.#parts.credit.waiting = 0;
    this.#void = new Set(this.#running.keys());
    for (const [ref, times] of this.#running) this.#key(ref).passed += times;
  }

  /** Lanes of which a call is running that began over an earlier connection. */
  busyLanes(): number[] {
    return [...new Set([...this.#void].map((ref) => laneOfHandle(ref.range.number)))];
  }
}

/** n.b. an item without a key has come from no place of ours; they are one another's. */
function nameOf({ range, index }: ItemRef): string {
  return range.frame.meta?.get(index)?.key ?? "";
}

/** What is left to wait of an item that failed in an instance that had it before: the wait begins anew. */
function delayOf({ range, index }: ItemRef): number {
  const mark = range.markOf(index);
  return mark?.isCleared === true ? (mark.failed?.delayMs ?? 0) : 0;
}

function isBefore(one: ItemRef, other: ItemRef): boolean {
  if (one.range.number !== other.range.number) return one.range.number < other.range.number;
  return one.range.offset + one.index < other.range.offset + other.index;
}
