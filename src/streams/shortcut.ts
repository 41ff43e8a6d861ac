import type { Append, CountDelta, StreamStats, Transaction } from "./contract.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { laneOf, stageOf, streamOf } from "./lanes.ts";
import type { Peer } from "./peer.ts";
import type { HelloHead } from "./protocol.ts";

/** What a shortcut must know of the stages. */
export interface ShortcutStages {
  get(stage: string): Dispatcher | undefined;
  stats(stage: string): StreamStats;
  isLane(stream: string): boolean;
}

/**
 * Pushed items that their source would pass on as they are go at once to where it leads: a hop less for each, and
 * nothing of it is decoded.
 *
 * W1 It is done only while an instance of the source takes items: one that is paused, stopped or gone keeps them.
 * W2 No item overtakes one that was pushed before it: what waits in the source is passed on first.
 * W3 The counts are those of the long way.
 */
export class Shortcut {
  readonly #stages: ShortcutStages;
  /** By source: what its transactions that are on their way to the engine add to what waits in it. */
  readonly #underWay = new Map<string, number>();

  constructor(stages: ShortcutStages) {
    this.#stages = stages;
  }

  /** What is to be done of a push. */
  shorten({ role, stage }: HelloHead, transaction: Transaction): Transaction {
    if (role !== "push" || transaction.appends.length === 0) return transaction;
    const ends = this.#endsOf(stage);
    // n.b. blobs are counted by the delivery.
    if (ends.length === 0 || (ends.length > 1 && transaction.blobs?.length)) return transaction;
    const appends: Append[] = [];
    let items = 0;
    for (const append of transaction.appends) {
      if (append.delayMs > 0) {
        appends.push(append);
        continue;
      }
      items += append.count;
      for (const end of ends) {
        const stream = streamOf(end, laneOf(append.stream));
        if (!this.#stages.isLane(stream)) return transaction;
        appends.push({ ...append, stream });
      }
    }
    if (items === 0) return transaction;
    const counts = ["accepted", "emitted", "completed"].map((counter): CountDelta => [stage, counter, items]);
    return { ...transaction, appends, counts: [...transaction.counts, ...counts] };
  }

  /** Where the items of a source go now; empty: to the source. */
  #endsOf(stage: string): readonly string[] {
    const { unsettled, delayed } = this.#stages.stats(stage);
    if (unsettled - delayed + (this.#underWay.get(stage) ?? 0) > 0) return [];
    for (const { passesOn, credit, isLeaving } of this.#stages.get(stage)?.consumers ?? [])
      if (credit > 0 && !isLeaving) return passesOn;
    return [];
  }

  /** A transaction is on its way to the engine. */
  sent({ hello, consumer }: Peer, { appends, settlements }: Transaction, committed: Promise<void>): void {
    if (hello === undefined || (hello.role !== "push" && !consumer?.passesOn.length)) return;
    const { stage } = hello;
    let items = 0;
    for (const { stream, count, delayMs } of appends)
      if (delayMs === 0 && stageOf(stream) === stage) items += count;
    for (const { from, to } of settlements) items -= to - from;
    if (items === 0) return;
    const add = (by: number): void => {
      const sum = (this.#underWay.get(stage) ?? 0) + by;
      if (sum === 0) this.#underWay.delete(stage);
      else this.#underWay.set(stage, sum);
    };
    add(items);
    const end = (): void => add(-items);
    committed.then(end, end);
  }
}
