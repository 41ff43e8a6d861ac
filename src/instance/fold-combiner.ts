import type { FoldDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { decodeStandalone, encodeStandalone } from "../wire/item-codec.ts";
import { packValue, unpackValue } from "../wire/packing.ts";
import { isThenable } from "./call-results.ts";
import type { CombineCalls } from "./combine-calls.ts";
import type { Combiner } from "./combiner.ts";
import { LargeRecord } from "./large-record.ts";
import { PageHeap } from "./page-heap.ts";
import { LinkLost, type RecordLink } from "./record-link.ts";
import type { Entry, Page, ResultPages } from "./result-pages.ts";

/** Time after which a fold lets others have their turn. */
const TURN_MS = 8;

interface StoredState {
  /** Results that are in `acc`: those of the first tasks, or the number of them. */
  readonly taken: number;
  readonly acc: Uint8Array;
  /** Of these the tasks that were given up: a result may still come, when they are put back. */
  readonly skipped?: readonly number[];
}

export interface FoldParts {
  readonly env: Env;
  readonly link: RecordLink;
  readonly stage: string;
  readonly fold: FoldDefinition;
  readonly pages: ResultPages;
  readonly calls: CombineCalls;
  readonly context: unknown;
}

/** The page that is being worked on. */
interface Current {
  readonly page: Page;
  readonly entries: readonly Entry[];
  at: number;
}

type Add = (acc: unknown, result: unknown, index: number, context: unknown) => unknown;

/**
 * Folds results one by one, in the order of the split or as they come.
 *
 * F1 The stored state stands for exactly the results that its checkpoint says: pages are removed in the transaction
 *    that stores the state which has all of them.
 * F2 A task that was given up is taken like a result. Put back, its result is added when it comes, out of turn and
 *    once: only while it counts as given up.
 * F3 What `add` has done to a state when it threw is never stored: the next life goes on from the last checkpoint.
 */
export class FoldCombiner implements Combiner {
  readonly decodes = true;
  readonly #parts: FoldParts;
  readonly #state: LargeRecord;
  readonly #heap = new PageHeap();
  /** Unordered: pages as they came. */
  #queue: Page[] = [];
  #acc: unknown;
  #taken = 0;
  #skipped = new Set<number>();
  /** All results have been taken by an earlier life: what comes now can only be of tasks that were put back. */
  #isReopened = false;
  /** The state as it was before `finish`, which may have changed it. */
  #kept: Buffer | undefined;
  #isDirty = false;
  #current: Current | undefined;
  #done: Page[] = [];

  constructor(parts: FoldParts) {
    this.#parts = parts;
    this.#state = new LargeRecord(parts.link, parts.stage, "state");
  }

  async load(): Promise<void> {
    const stored = await this.#state.read();
    if (stored === undefined) this.#acc = await this.#begin();
    else {
      const { taken, acc, skipped } = unpackValue(stored) as StoredState;
      this.#taken = taken;
      this.#skipped = new Set(skipped);
      this.#acc = decodeStandalone(acc);
    }
    for await (const page of this.#parts.pages.load(true)) this.add([page]);
  }

  reopen(): void {
    this.#isReopened = true;
    if (this.#kept !== undefined) this.#acc = decodeStandalone(this.#kept);
    this.#kept = undefined;
  }

  async #begin(): Promise<unknown> {
    const { fold, calls } = this.#parts;
    const { init } = fold;
    if (typeof init === "function") return await calls.call("combine.init threw", () => init());
    // A copy: what `add` does to it must not change the definition.
    return this.#decoded("combine.init is no state", init);
  }

  #decoded(what: string, value: unknown): unknown {
    try {
      return decodeStandalone(encodeStandalone(value));
    } catch (error) {
      throw this.#parts.calls.failure(what, error);
    }
  }

  add(pages: readonly Page[]): void {
    for (const page of pages) {
      if (this.#parts.fold.ordered) this.#heap.push(page);
      else this.#queue.push(page);
    }
  }

  replace(gone: ReadonlySet<Page>, by: readonly Page[]): void {
    if (this.#parts.fold.ordered) this.#heap.replace(gone, by);
    else this.#queue = [...this.#queue.filter((page) => !gone.has(page)), ...by];
  }

  get canStep(): boolean {
    if (this.#current !== undefined) return true;
    if (!this.#parts.fold.ordered) return this.#queue.length > 0;
    const page = this.#heap.peek();
    return page !== undefined && page.first <= this.#taken;
  }

  async step(): Promise<void> {
    const { clock } = this.#parts.env;
    const until = clock.mono() + TURN_MS;
    do {
      if (this.#current === undefined) await this.#open();
      const promised = this.#fold(until);
      if (promised !== undefined) await promised;
    } while (this.canStep && clock.mono() < until);
  }

  async #open(): Promise<void> {
    const { fold, pages, calls } = this.#parts;
    const page = (fold.ordered ? this.#heap.pop() : this.#queue.shift()) as Page;
    let entries: readonly Entry[];
    try {
      entries = await pages.read(page);
    } catch (error) {
      this.add([page]);
      throw error instanceof LinkLost ? error : calls.failure("a stored result cannot be read", error);
    }
    pages.hold(page, entries);
    this.#current = { page, entries, at: 0 };
  }

  /** Takes what can be taken of the open page, for a while; gives a promise when `add` does. */
  #fold(until: number): Promise<void> | undefined {
    const { env, fold, calls, context } = this.#parts;
    const add = fold.add as Add;
    const current = this.#current as Current;
    const { entries } = current;
    this.#isDirty = true;
    calls.enter();
    let index = 0;
    try {
      for (let n = 1; current.at < entries.length; n++) {
        const entry = entries[current.at] as Entry;
        index = entry[0];
        const isBack = this.#skipped.has(index);
        if (fold.ordered && index > this.#taken) break;
        if (entry.length > 1 && (isBack || !this.#isTaken(index))) {
          const next = add(this.#acc, entry[1], index, context);
          if (isThenable(next)) return this.#later(current, index, next);
          if (next !== undefined) this.#acc = next;
        }
        this.#take(current, entry.length > 1);
        if ((n & 15) === 0 && env.clock.mono() > until) break;
      }
    } catch (error) {
      throw calls.failure(`combine.add threw at the result of task ${index}`, error);
    } finally {
      calls.leave();
    }
    this.#turnPage();
    return undefined;
  }

  async #later(current: Current, index: number, promise: PromiseLike<unknown>): Promise<void> {
    const what = `combine.add threw at the result of task ${index}`;
    const next = await this.#parts.calls.settled(what, promise);
    if (next !== undefined) this.#acc = next;
    this.#take(current, true);
    this.#turnPage();
  }

  /** Whether an entry that is not of a task put back has been taken before: by an earlier life, of the same page. */
  #isTaken(index: number): boolean {
    return this.#isReopened || (this.#parts.fold.ordered && index < this.#taken);
  }

  /** The entry that a page is at has been taken. */
  #take(current: Current, hasResult: boolean): void {
    const [index] = current.entries[current.at++] as Entry;
    if (this.#skipped.has(index)) {
      if (hasResult) this.#skipped.delete(index);
    } else if (!this.#isTaken(index)) {
      if (!hasResult) this.#skipped.add(index);
      this.#taken++;
    }
  }

  #turnPage(): void {
    const current = this.#current;
    if (current === undefined) return;
    const { page, entries, at } = current;
    if (at === entries.length) {
      this.#parts.pages.taken(page);
      this.#done.push(page);
      this.#current = undefined;
    } else if (this.#parts.fold.ordered && (entries[at] as Entry)[0] !== this.#taken) {
      page.first = (entries[at] as Entry)[0];
      this.#heap.push(page);
      this.#current = undefined;
    }
  }

  get canCheckpoint(): boolean {
    // Without an order only whole pages are known to be taken.
    return this.#isDirty && (this.#parts.fold.ordered || this.#current === undefined);
  }

  async checkpoint(): Promise<void> {
    const { link, pages, calls } = this.#parts;
    let acc: Buffer;
    try {
      acc = encodeStandalone(this.#acc);
    } catch (error) {
      throw calls.failure("what combine.add gave back cannot be stored", error);
    }
    const skipped = this.#skipped.size > 0 ? { skipped: [...this.#skipped] } : {};
    await this.#state.write(packValue({ taken: this.#taken, acc, ...skipped } satisfies StoredState));
    for (const page of this.#done) pages.remove(page);
    this.#done = [];
    this.#isDirty = false;
    await link.commit();
  }

  isComplete(total: number): boolean {
    return this.#taken >= total;
  }

  async finish(): Promise<unknown> {
    const { fold, calls, context } = this.#parts;
    const finish = fold.finish as ((acc: unknown, context: unknown) => unknown) | undefined;
    if (finish === undefined) return this.#acc;
    // n.b. should it fail, the next life has all but the last step behind it - and not what this one did to the state.
    if (this.canCheckpoint) await this.checkpoint();
    return await calls.call("combine.finish threw", () => finish(this.#acc, context));
  }

  async keep(): Promise<void> {
    if (this.canCheckpoint) await this.checkpoint();
    this.#kept = encodeStandalone(this.#acc);
  }

  clear(): void {
    for (const page of [...this.#done, ...this.#heap, ...this.#queue]) this.#parts.pages.remove(page);
    this.#state.remove();
  }
}
