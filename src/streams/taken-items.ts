import { type ClaimedRange, type Consumer, holds, unclaim, unstart } from "./consumer.ts";
import type { Mark, MarkWrite, Transaction } from "./contract.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { TransactHead } from "./protocol.ts";

interface FailedItem {
  readonly range: ClaimedRange;
  /** It goes back to its lane; otherwise it stays with its instance. */
  readonly isHandedBack: boolean;
  readonly mark: Mark;
}

/** What a transaction says of the items in its consumer's hands: which are settled, which have failed and keep their place. */
export class TakenItems {
  readonly #settled: readonly ClaimedRange[];
  readonly #failed: readonly FailedItem[];

  constructor(head: TransactHead, { marks }: Transaction) {
    this.#settled = head.settle;
    this.#failed = (head.attempts ?? []).map(([handle, place, , isHandedBack], i) => ({
      range: [handle, place, place + 1],
      isHandedBack,
      mark: (marks[i] as MarkWrite).mark,
    }));
  }

  get isNone(): boolean {
    return this.#settled.length + this.#failed.length === 0;
  }

  areHeldBy(consumer: Consumer): boolean {
    if (this.#failed.length === 0) return holds(consumer, this.#settled);
    return holds(consumer, [...this.#settled, ...this.#failed.map(({ range }) => range)]);
  }

  /** Before the engine has confirmed: should the instance die meanwhile, they are not redelivered. */
  takeFrom(consumer: Consumer): void {
    unclaim(consumer, this.#settled);
    for (const { range, isHandedBack } of this.#failed) {
      if (isHandedBack) unclaim(consumer, [range]);
      else unstart(consumer, range);
    }
  }

  /** The engine has confirmed. */
  confirm(dispatcher: Dispatcher): void {
    dispatcher.settled(this.#settled);
    for (const { range, isHandedBack, mark } of this.#failed) {
      const [handle, from, to] = range;
      dispatcher.mark(handle, from, mark);
      if (isHandedBack) dispatcher.putBack(handle, from, to);
    }
  }

  /** The engine has done none of it. */
  undo(dispatcher: Dispatcher): void {
    const back = this.#failed.filter(({ isHandedBack }) => isHandedBack).map(({ range }) => range);
    for (const [handle, from, to] of [...this.#settled, ...back]) dispatcher.putBack(handle, from, to);
  }
}
