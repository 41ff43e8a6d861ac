import { RangeSet } from "../wire/range-set.ts";
import type { DeliveredRange } from "./protocol.ts";

/** Where delivered ranges go: the connection of an instance. Frames go by their handles; see lanes.ts. */
export interface Consumer {
  readonly instance: string;
  readonly role: "worker" | "suspect";
  /** Items it may be given beyond what it holds. */
  credit: number;
  /** It takes no more: what was to come to it goes to others. */
  isLeaving: boolean;
  /** Of a push source: the stages that take its items as they are, if all do; see `Shortcut`. */
  readonly passesOn: readonly string[];
  /** A lone item is begun when it is handed out; see `HelloHead`. */
  readonly callsAtOnce: boolean;
  /** Items it holds, by frame. */
  readonly claims: Map<number, RangeSet>;
  /** Of these, the ones handed to user code. */
  readonly started: Map<number, RangeSet>;
  /** Suspects it was given, one after the other. */
  handed: number;
  deliver(ranges: readonly DeliveredRange[], frames: readonly Buffer[]): void;
}

/** One that holds nothing yet. */
export function newConsumer(
  is: Pick<Consumer, "instance" | "role" | "passesOn" | "callsAtOnce" | "deliver">,
): Consumer {
  return { ...is, credit: 0, isLeaving: false, claims: new Map(), started: new Map(), handed: 0 };
}

/** The consumer has items of a frame in the hands of user code; `from` to before `to` of it, as far as it holds them. */
export function start(consumer: Consumer, [handle, from, to]: ClaimedRange): void {
  const claims = consumer.claims.get(handle);
  if (claims === undefined) return;
  let started = consumer.started.get(handle);
  if (started === undefined) {
    started = new RangeSet();
    consumer.started.set(handle, started);
  }
  // n.b. only what it holds: what an instance says of others must not make suspects of them.
  for (const [low, high] of claims.ranges()) started.add(Math.max(from, low), Math.min(to, high));
}

export function claimedItems(consumer: Consumer): number {
  let count = 0;
  for (const claims of consumer.claims.values()) count += claims.size;
  return count;
}

/** Items `from` to before `to` of a frame that a consumer says it holds. */
export type ClaimedRange = readonly [handle: number, from: number, to: number, ...unknown[]];

/** True when the consumer holds all of it, and none of it is said twice. */
export function holds(consumer: Consumer, claimed: readonly ClaimedRange[]): boolean {
  const seen = new Map<number, RangeSet>();
  return claimed.every(([handle, from, to]) => {
    let ranges = seen.get(handle);
    if (ranges === undefined) {
      ranges = new RangeSet();
      seen.set(handle, ranges);
    }
    return ranges.add(from, to) === to - from && consumer.claims.get(handle)?.covers(from, to) === true;
  });
}

/** Takes claims away from a consumer: their settlement is on its way to the engine. */
export function unclaim(consumer: Consumer, claimed: readonly ClaimedRange[]): void {
  for (const [handle, from, to] of claimed) {
    const claims = consumer.claims.get(handle);
    claims?.remove(from, to);
    if (claims?.size === 0) {
      consumer.claims.delete(handle);
      consumer.started.delete(handle);
    } else consumer.started.get(handle)?.remove(from, to);
  }
}

/** It is not in the hands of user code any more, though it is still the consumer's. */
export function unstart(consumer: Consumer, [handle, from, to]: ClaimedRange): void {
  consumer.started.get(handle)?.remove(from, to);
}
