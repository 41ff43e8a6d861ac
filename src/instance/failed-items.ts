import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { EncodingError, ensureError, errorOf } from "../errors.ts";
import type { DeadReason } from "../records/dead-letter.ts";
import type { Mark } from "../streams/contract.ts";
import { KILLS_TO_DEAD_LETTER } from "../streams/protocol.ts";
import { CallContext } from "./call-context.ts";
import { isThenable } from "./call-results.ts";
import { type Failures, killedError, timeoutError } from "./failures.ts";
import type { KeyOrder } from "./key-order.ts";
import type { LostTasks } from "./lost-tasks.ts";
import type { InstanceScope } from "./scope-context.ts";
import type { Transactions } from "./transactions.ts";
import type { ItemRef } from "./work.ts";

export interface FailedItemsParts {
  readonly env: Env;
  readonly node: NodeDefinition;
  readonly scope: InstanceScope;
  readonly transactions: Transactions;
  readonly failures: Failures;
  /** Jobs: what becomes of tasks that have failed for good. */
  readonly lostTasks: LostTasks | undefined;
  /** Whether results for this connection's items still count. */
  isCurrent(epoch: number): boolean;
  /** Whether a failed item stays in hand, as if it had not been called. */
  keep(ref: ItemRef): boolean;
  /** Of a stage whose failing items hold those of their key. */
  readonly keys: KeyOrder | undefined;
  readonly isAlone: boolean;
  /** An asynchronous `onFailed` has begun (1) or ended (-1): it takes a slot as a call does. */
  onHook(by: 1 | -1): void;
}

/** Takes failed items to their next attempt or to the dead letters, asking and telling the user on the way. */
export class FailedItems {
  readonly #parts: FailedItemsParts;

  constructor(parts: FailedItemsParts) {
    this.#parts = parts;
  }

  /** Decodes an item; one that cannot be is buried, and there is no answer. */
  decode(ref: ItemRef): { item: unknown } | undefined {
    try {
      return { item: ref.range.item(ref.index) };
    } catch (error) {
      const cause = new EncodingError(
        "MR_NOT_DECODABLE",
        `stage ${this.#parts.node.name}: the stored bytes of item ${ref.range.frame.idOf(ref.index)} cannot be decoded: ${ensureError(error).message}`,
        { scope: "item", cause: error },
      );
      this.bury(ref, undefined, cause, "not-decodable");
      return undefined;
    }
  }

  /** Whether it was decided before what becomes of the item: by the death of a process, or where it was placed. */
  isJudged(ref: ItemRef): boolean {
    if (ref.range.refusalOf(ref.index) !== undefined) return true;
    const mark = ref.range.markOf(ref.index);
    return mark !== undefined && (mark.timedOut === true || mark.kills >= KILLS_TO_DEAD_LETTER);
  }

  /** Deals with a judged item. */
  settleJudged(ref: ItemRef): void {
    const { node } = this.#parts;
    const decoded = this.decode(ref);
    if (decoded === undefined) return;
    const refusal = ref.range.refusalOf(ref.index);
    if (refusal !== undefined) {
      this.bury(ref, decoded.item, errorOf(refusal), "error");
      return;
    }
    const mark = ref.range.markOf(ref.index) as Mark;
    if (mark.timedOut === true) this.#fail(ref, decoded.item, timeoutError(node, mark.last), "timeout");
    else if (mark.kills === KILLS_TO_DEAD_LETTER)
      this.bury(ref, decoded.item, killedError(node, mark), "killed");
    // Another death since it was judged: `onFailed` has ended the process as well. It is not asked again.
    else this.#bury(ref, killedError(node, mark), "killed");
  }

  fail(ref: ItemRef, item: unknown, thrown: unknown, reason: DeadReason): void {
    if (!this.#parts.isCurrent(ref.range.epoch) || this.#parts.keep(ref)) return;
    this.#fail(ref, item, thrown, reason);
  }

  #fail(ref: ItemRef, item: unknown, thrown: unknown, reason: DeadReason): void {
    const { failures } = this.#parts;
    const error = ensureError(thrown);
    let isLast: boolean;
    try {
      isLast = failures.isLast(ref, error);
    } catch (unlessError) {
      this.#parts.scope.log.error(
        { error: ensureError(unlessError).message },
        "retry.unless threw; the item is retried",
      );
      isLast = false;
    }
    this.#parts.transactions.count("failed", 1);
    // The circuit breaker takes no notice of these: the function has itself said what is to become of the item.
    if (error.name === "RetryLater") this.#parts.transactions.count("postponed", 1);
    if (isLast) this.bury(ref, item, error, reason);
    else if (this.#parts.node.settings.order?.onKeyFailure === "hold") this.#keep(ref, error);
    else failures.retry(ref, error);
  }

  /** It keeps its place, so that nothing of its key overtakes it. */
  #keep(ref: ItemRef, error: Error): void {
    const { failures, keys, isAlone } = this.#parts;
    const delayMs = failures.keep(ref, error, isAlone);
    if (!isAlone) keys?.hold(ref, delayMs);
  }

  bury(ref: ItemRef, item: unknown, error: Error, reason: DeadReason): void {
    const { node, scope } = this.#parts;
    const { onFailed } = node;
    // A task that fails its job is no dead letter: it stays where it is.
    const isKept = this.#parts.lostTasks?.failsRun === true;
    if (onFailed === undefined || reason === "not-decodable" || isKept) {
      this.#bury(ref, error, reason);
      return;
    }
    const lament = (thrown: unknown): void => {
      scope.log.error(
        { error: ensureError(thrown).message, item: ref.range.frame.idOf(ref.index) },
        "onFailed threw",
      );
    };
    let told: unknown;
    try {
      told = (onFailed as (item: unknown, error: Error, context: CallContext) => unknown)(
        item,
        error,
        new CallContext(scope, [ref], [item]),
      );
    } catch (thrown) {
      lament(thrown);
    }
    if (!isThenable(told)) {
      this.#bury(ref, error, reason);
      return;
    }
    this.#parts.keys?.again(ref);
    this.#parts.onHook(1);
    const { timeoutMs } = node.settings;
    const over = new AbortController();
    // A hook that never settles must not keep the item: its time is that of a call.
    const limit = this.#parts.env.timers.sleep(timeoutMs, over.signal).then(
      () =>
        scope.log.error(
          { item: ref.range.frame.idOf(ref.index), timeoutMs },
          "onFailed has not settled in the time of a call; its item is dead-lettered without it",
        ),
      () => undefined,
    );
    void Promise.race([Promise.resolve(told).catch(lament), limit]).then(() => {
      over.abort();
      if (this.#parts.isCurrent(ref.range.epoch)) this.#bury(ref, error, reason);
      this.#parts.keys?.leave([ref]);
      this.#parts.onHook(-1);
    });
  }

  #bury(ref: ItemRef, error: Error, reason: DeadReason): void {
    const { lostTasks, failures } = this.#parts;
    if (lostTasks?.failsRun === true) {
      lostTasks.failRun(ref, error);
      return;
    }
    failures.bury(ref, error, isNotDecodable(error) ? "not-decodable" : reason);
    lostTasks?.skip(ref);
  }
}

/** What a source says of a message that other programs wrote, and that is no item: its bytes are the item. */
function isNotDecodable(error: Error): boolean {
  return error.name === "TerminalError" && "code" in error && error.code === "MR_NOT_DECODABLE";
}
