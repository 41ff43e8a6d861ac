import { parseDuration } from "../definition/duration.ts";
import { retryDelayMs } from "../definition/retry-delay.ts";
import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { CallTimeoutError, errorInfo, StageError } from "../errors.ts";
import type { DeadReason, StoredDeadLetter } from "../records/dead-letter.ts";
import { recordKeys } from "../records/record-store.ts";
import type { Mark } from "../streams/contract.ts";
import { laneOfHandle } from "../streams/lanes.ts";
import type { AttemptInfo } from "../wire/frame.ts";
import { packValue } from "../wire/packing.ts";
import { boundedHistory, pickFrames } from "../wire/retry-frames.ts";
import type { Transactions } from "./transactions.ts";
import type { ItemRef, WorkRange } from "./work.ts";

interface RetryGroup {
  readonly range: WorkRange;
  readonly delayMs: number;
  readonly places: number[];
  readonly attempts: Map<number, AttemptInfo>;
}

export interface FailureSettings {
  readonly pipeline: string;
  readonly run: string;
  readonly bundle: string;
}

/** Decides what becomes of an item whose call failed, and writes it down in the next transaction. */
export class Failures {
  readonly #env: Env;
  readonly #node: NodeDefinition;
  readonly #settings: FailureSettings;
  readonly #transactions: Transactions;
  #pendingBytes = 0;
  /** Retries of the coming transaction: items of one range with one delay share a frame. */
  #groups = new Map<string, RetryGroup>();

  constructor(env: Env, node: NodeDefinition, settings: FailureSettings, transactions: Transactions) {
    this.#env = env;
    this.#node = node;
    this.#settings = settings;
    this.#transactions = transactions;
  }

  /** Whether an item that failed like this gets another attempt. */
  isLast(ref: ItemRef, error: Error): boolean {
    // First what needs none of the user's code: an `unless` that throws must not make the attempts endless.
    if (ref.range.failuresOf(ref.index) + 1 >= this.#node.settings.retry.attempts) return true;
    return error.name === "TerminalError" || this.#node.unless?.(error) === true;
  }

  /** Puts the item back on its stage's stream, with its delay. */
  retry(ref: ItemRef, error: Error): void {
    const { range, index } = ref;
    const failures = range.failuresOf(index);
    const later = ownDelay(error);
    // One jittered delay for all items of a range that fail alike in one transaction: they stay one frame.
    const key = `${range.epoch}:${range.number}:${range.offset}:${later === undefined ? failures : `later ${later}`}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const delayMs = later ?? this.#delay(failures + 1);
      group = { range, delayMs, places: [], attempts: new Map() };
      this.#groups.set(key, group);
    }
    const attempt = { at: this.#env.clock.now(), error: errorInfo(error) };
    group.places.push(index);
    group.attempts.set(index, attempt);
    // What earlier attempts said travels along once more.
    this.#pendingBytes += (failures + 1) * sizeOf(attempt);
    this.#transactions.settle(range.number, range.offset + index, "retried");
    this.#transactions.count("retried", 1);
  }

  #delay(failures: number): number {
    return retryDelayMs(this.#node.settings.retry, failures, () => this.#env.random.float());
  }

  /**
   * Writes down that the item's attempt has failed, while it keeps its place: with this instance, or (handed back)
   * in its lane. Gives the milliseconds to wait before the next one.
   */
  keep(ref: ItemRef, error: Error, isHandedBack: boolean): number {
    const { range, index } = ref;
    const attempt = { at: this.#env.clock.now(), error: errorInfo(error) };
    const history = boundedHistory([...range.historyOf(index), attempt]);
    const delayMs = ownDelay(error) ?? this.#delay(history.length);
    const failed = { delayMs, history };
    range.setMark(index, { kills: 0, isCleared: true, failed, last: "", at: attempt.at });
    for (const told of history) this.#pendingBytes += sizeOf(told);
    const place = range.offset + index;
    this.#transactions.attempt({ frame: range.number, place, isHandedBack, ...failed });
    this.#transactions.count("retried", 1);
    return delayMs;
  }

  bury(ref: ItemRef, error: Error, reason: DeadReason): void {
    const { range, index } = ref;
    const { frame } = range;
    const id = frame.idOf(index);
    const meta = frame.meta?.get(index);
    const attempts = [...range.historyOf(index), { at: this.#env.clock.now(), error: errorInfo(error) }];
    const lane = laneOfHandle(range.number);
    const letter: StoredDeadLetter = {
      id,
      pipeline: this.#settings.pipeline,
      run: this.#settings.run,
      stage: this.#node.name,
      ...(meta?.key === undefined ? {} : { key: meta.key }),
      headers: meta?.headers ?? {},
      attempts,
      reason,
      bundle: this.#settings.bundle,
      path: [this.#node.name],
      deadAt: this.#env.clock.now(),
      enqueuedAt: meta?.enqueuedAt ?? frame.closedAt,
      frame: frame.pick([index], () => ({})),
      ...(lane === 0 ? {} : { lane }),
      ...(meta?.replay === undefined ? {} : { replay: meta.replay }),
    };
    this.#transactions.settle(range.number, range.offset + index, "dead");
    const value = packValue(letter);
    this.#pendingBytes += value.length;
    this.#transactions.record({ key: recordKeys.deadLetter(this.#node.name, id), value });
  }

  /** About how many bytes the failures of the coming transaction take. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Builds the frames of the retries that the coming transaction holds. */
  flush(): void {
    for (const { range, delayMs, places, attempts } of this.#groups.values()) {
      // n.b. in parts: a stack an attempt may make the retry of a frame far larger than a frame may be.
      const frames = pickFrames(range.frame, places, (place) => ({
        history: [...range.historyOf(place), attempts.get(place) as AttemptInfo],
      }));
      const lane = laneOfHandle(range.number);
      for (const frame of frames) this.#transactions.retry({ ...frame, delayMs, lane });
    }
    this.clear();
  }

  clear(): void {
    this.#groups.clear();
    this.#pendingBytes = 0;
  }
}

/** What a RetryLater asks for. */
function ownDelay(error: Error): number | undefined {
  if (error.name !== "RetryLater" || !("delayMs" in error)) return undefined;
  return parseDuration(error.delayMs);
}

function sizeOf({ error }: AttemptInfo): number {
  return 64 + error.name.length + error.message.length + error.stack.length;
}

/** The error that stands for a call which ended with its process, past its time. */
export function timeoutError(node: NodeDefinition, what: string): Error {
  const { timeoutMs } = node.settings;
  return new CallTimeoutError(
    "MR_CALL_TIMEOUT",
    `stage ${node.name}: the call took longer than timeoutMs ${timeoutMs} ms (${what})`,
    {
      scope: "item",
    },
  );
}

/** The error that stands for the deaths of the processes that had the item in hand. */
export function killedError(node: NodeDefinition, mark: Mark): Error {
  return new StageError(
    "MR_KILLED",
    `stage ${node.name}: ${mark.kills} processes died with this item in hand, the last one by ${mark.last}`,
    { scope: "item" },
  );
}
