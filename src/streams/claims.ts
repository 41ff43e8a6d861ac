import type { Env } from "../env/env.ts";
import { StreamError } from "../errors.ts";
import type { RangeSet } from "../wire/range-set.ts";
import type { Consumer } from "./consumer.ts";
import { type CountDelta, type Mark, type MarkWrite, NOTHING, type StreamEngine } from "./contract.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { frameOfHandle, laneOfHandle, streamOf } from "./lanes.ts";
import type { Verdict } from "./protocol.ts";

interface Orphan {
  readonly stage: string;
  readonly consumer: Consumer;
}

interface ItemMark {
  readonly frame: number;
  readonly place: number;
  readonly mark: Mark;
}

/**
 * What becomes of the items that a lost instance held.
 *
 * C1 They are put back when the instance's end is certain (the agent's verdict) *and* its connection is closed
 *    (nothing it still wrote can arrive).
 * C2 Only items that it had begun are suspected; if it had begun none, it died of taking them, and all are.
 * C3 Deaths are held against an item when it was in hand among others, or alone in a process that had no other before.
 * C4 A mark is durable before its item is given out again.
 * C5 An instance whose end was judged takes nothing any more: its claims would wait for a verdict that has been given.
 */
export class Claims {
  readonly #env: Env;
  readonly #engine: StreamEngine;
  readonly #dispatcherOf: (stream: string) => Dispatcher | undefined;
  readonly #orphans = new Map<string, Orphan>();
  /** Verdicts that came before the connection was closed. */
  readonly #early = new Map<string, { verdict: Verdict; done: (suspects: number) => void }>();

  readonly #judged = new Set<string>();

  constructor(env: Env, engine: StreamEngine, dispatcherOf: (stream: string) => Dispatcher | undefined) {
    this.#env = env;
    this.#engine = engine;
    this.#dispatcherOf = dispatcherOf;
  }

  closed(stage: string, consumer: Consumer): void {
    consumer.credit = 0;
    this.#orphans.set(consumer.instance, { stage, consumer });
    const early = this.#early.get(consumer.instance);
    if (early === undefined) return;
    this.#early.delete(consumer.instance);
    void this.#judgeNow(early.verdict).then(early.done);
  }

  closedWithoutClaims(instance: string): void {
    const early = this.#early.get(instance);
    this.#early.delete(instance);
    early?.done(0);
  }

  /** The instance has connected again: it holds nothing any more. */
  returned(instance: string): void {
    const orphan = this.#orphans.get(instance);
    if (orphan === undefined) return;
    this.#orphans.delete(instance);
    this.#putBack(orphan, () => undefined);
  }

  /** Throws StreamError MR_CLAIM_LOST when its process has ended: what it sent before that is read too late. */
  checkUnjudged({ stage, instance }: { readonly stage: string; readonly instance: string }): void {
    if (!this.#judged.has(instance)) return;
    throw new StreamError(
      "MR_CLAIM_LOST",
      `stage ${stage}, instance ${instance}: its end was reported already`,
    );
  }

  /** Gives the number of suspects that the verdict makes. */
  judge(verdict: Verdict, isConnected: boolean): Promise<number> {
    this.#judged.add(verdict.instance);
    if (!isConnected) return this.#judgeNow(verdict);
    return new Promise((resolve) => {
      this.#early.set(verdict.instance, { verdict, done: resolve });
    });
  }

  async #judgeNow(verdict: Verdict): Promise<number> {
    const orphan = this.#orphans.get(verdict.instance);
    if (orphan === undefined) return 0;
    this.#orphans.delete(verdict.instance);
    const marks = this.#marksOf(orphan, verdict);
    const repeated = sizeOf(orphan.consumer.started);
    const counts: CountDelta[] = [];
    if (repeated > 0 && verdict.cause !== "drained") {
      const isDeath = verdict.charge || verdict.culprit !== undefined;
      const cause = verdict.cause ?? (isDeath ? "instance-died" : "drain-cut-short");
      counts.push([orphan.stage, `repeated:${cause}`, repeated - (verdict.culprit === undefined ? 0 : 1)]);
    }
    if (marks.length > 0 || counts.length > 0) {
      await this.#engine
        .transact({ ...NOTHING, marks: marks.map((mark) => markWriteOf(orphan.stage, mark)), counts })
        // The marks then live as long as this process; the items must be put back all the same.
        .catch(() => undefined);
    }
    this.#putBack(orphan, (dispatcher) => {
      for (const { frame, place, mark } of marks) dispatcher.mark(frame, place, mark);
    });
    return marks.length;
  }

  #marksOf(orphan: Orphan, verdict: Verdict): ItemMark[] {
    const dispatcher = this.#dispatcherOf(orphan.stage);
    const { consumer } = orphan;
    const at = this.#env.clock.now();
    if (verdict.culprit !== undefined) {
      const { frame, place } = verdict.culprit;
      if (consumer.claims.get(frame)?.covers(place, place + 1) !== true) return [];
      const known = dispatcher?.markOf(frame, place);
      const mark: Mark = { ...deedsOf(known), timedOut: true, last: verdict.what, at };
      return [{ frame, place, mark }];
    }
    if (!verdict.charge) return [];
    const hasBegun = sizeOf(consumer.started) > 0;
    const begun = hasBegun ? consumer.started : consumer.claims;
    // Only a process that has had nothing else in hand tells for certain: one that went before may have left a
    // timer, or a rejection, behind. Put back at the front, the item is the next process's first.
    const isConclusive = consumer.role === "suspect" ? consumer.handed === 1 : !verdict.external && hasBegun;
    const marks: ItemMark[] = [];
    for (const [frame, ranges] of begun) {
      for (const [from, to] of ranges.ranges()) {
        for (let place = from; place < to; place++) {
          const known = deedsOf(dispatcher?.markOf(frame, place));
          // A kill signal from outside says little about the items in hand, unless there was only one.
          const kills = isConclusive ? known.kills + 1 : known.kills;
          marks.push({ frame, place, mark: { ...known, kills, last: verdict.what, at } });
        }
      }
    }
    return marks;
  }

  #putBack(orphan: Orphan, before: (dispatcher: Dispatcher) => void): void {
    const dispatcher = this.#dispatcherOf(orphan.stage);
    if (dispatcher === undefined) return;
    before(dispatcher);
    const frames = [...orphan.consumer.claims].reverse();
    const wasAlone = orphan.consumer.role === "suspect";
    for (const [frame, ranges] of frames) {
      for (const [from, to] of [...ranges.ranges()].reverse()) dispatcher.putBack(frame, from, to, wasAlone);
    }
    orphan.consumer.claims.clear();
    orphan.consumer.started.clear();
    dispatcher.dispatch();
  }
}

/** What a new mark takes over from an older one. */
function deedsOf(known: Mark | undefined): Pick<Mark, "kills" | "failed"> {
  return {
    kills: known?.kills ?? 0,
    ...(known?.failed === undefined ? {} : { failed: known.failed }),
  };
}

function markWriteOf(stage: string, { frame, place, mark }: ItemMark): MarkWrite {
  return { stream: streamOf(stage, laneOfHandle(frame)), frame: frameOfHandle(frame), place, mark };
}

function sizeOf(claims: ReadonlyMap<number, RangeSet>): number {
  let size = 0;
  for (const ranges of claims.values()) size += ranges.size;
  return size;
}
