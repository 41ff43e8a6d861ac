import { WATCH, WATCH_STATE } from "./watch-state.ts";
import type { ItemRef } from "./work.ts";

/** Stands for the item in hand when there are several: nobody knows which of them holds the process up. */
const SEVERAL = -1;

/**
 * Tells the watchdog thread whose code the main thread is running: of the call that is being made, or, when it
 * has gone back to its event loop, of one of those that have not settled.
 */
export class InHand {
  readonly #watch: Float64Array;
  readonly #unsettled = new Set<readonly ItemRef[]>();

  constructor(watch: Float64Array) {
    this.#watch = watch;
  }

  /** User code about these items begins to run. */
  enter(refs: readonly ItemRef[]): void {
    const watch = this.#watch;
    this.#name(refs);
    watch[WATCH.sequence] = (watch[WATCH.sequence] as number) + 1;
    watch[WATCH.state] = WATCH_STATE.inCall;
  }

  /** It has given control back. */
  leave(): void {
    this.#watch[WATCH.state] = WATCH_STATE.outside;
    if (this.#unsettled.size > 0) this.#nameUnsettled();
  }

  /** A call goes on asynchronously. */
  add(refs: readonly ItemRef[]): void {
    this.#unsettled.add(refs);
    this.#nameUnsettled();
  }

  delete(refs: readonly ItemRef[]): void {
    this.#unsettled.delete(refs);
    this.#nameUnsettled();
  }

  /** Items in calls that go on, beyond the first of each: those of batches. */
  get others(): number {
    let others = 0;
    for (const refs of this.#unsettled) others += refs.length - 1;
    return others;
  }

  #nameUnsettled(): void {
    this.#watch[WATCH.unsettled] = this.#unsettled.size;
    const [first] = this.#unsettled;
    if (first !== undefined) this.#name(this.#unsettled.size === 1 ? first : []);
  }

  #name(refs: readonly ItemRef[]): void {
    const [ref] = refs;
    const isOne = ref !== undefined && refs.length === 1;
    this.#watch[WATCH.frame] = isOne ? ref.range.number : SEVERAL;
    this.#watch[WATCH.place] = isOne ? ref.range.offset + ref.index : SEVERAL;
  }
}
