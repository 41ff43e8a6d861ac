import type { DeadReason } from "../records/dead-letter.ts";
import { CallContext } from "./call-context.ts";
import { isThenable, readReturned } from "./call-results.ts";
import type { CallerParts } from "./caller-parts.ts";
import { Collector } from "./collector.ts";
import { Deadlines, type TimedCall } from "./deadlines.ts";
import { FailedItems } from "./failed-items.ts";
import { timeoutError } from "./failures.ts";
import { type ItemRef, saidOf } from "./work.ts";

interface Call extends TimedCall {
  readonly refs: readonly ItemRef[];
  readonly items: readonly unknown[];
  readonly context: CallContext;
}

type Run = (input: unknown, context: CallContext) => unknown;

/**
 * Calls the user's function and turns what comes of it into outputs, settlements and failures.
 *
 * K1 Whatever the function throws, returns or never returns, each of its items ends in exactly one settlement.
 * K2 A synchronous function costs no promise; its call is over when it returns.
 * K3 A call past its time keeps its slot until it settles: its retry must not overlap it.
 */
export class Caller {
  /** Asynchronous calls in flight. */
  active = 0;
  /** The items of these calls. */
  get activeItems(): number {
    return this.active + this.#parts.inHand.others;
  }
  readonly #parts: CallerParts;
  readonly #run: Run;
  readonly #isBatch: boolean;
  /** Of a job: a result goes on with its task's position. */
  readonly #isTask: boolean;
  readonly #deadlines: Deadlines<Call>;
  readonly #failed: FailedItems;

  constructor(parts: CallerParts) {
    this.#parts = parts;
    this.#run = parts.node.handler.run as unknown as Run;
    this.#isBatch = parts.node.settings.batch !== undefined;
    this.#isTask = parts.node.part === "process";
    this.#failed = new FailedItems({
      ...parts,
      isCurrent: (epoch) => parts.isCurrent(epoch),
      onHook: (by) => {
        this.active += by;
        if (by < 0) parts.onEnd();
      },
    });
    const { timeoutMs, graceMs } = parts.node.settings;
    this.#deadlines = new Deadlines(parts.env, timeoutMs, graceMs, {
      onTimeout: (call) => call.context.abort(timeoutError(parts.node, "aborted")),
      onStuck: (call) => {
        if (parts.onStuck(call.refs) === "abandon") this.#endLate(call);
      },
    });
  }

  /** Failed items, and those whose fate the death of a process has decided. */
  get failed(): FailedItems {
    return this.#failed;
  }

  /** The clock as it was last read: one reading a call is enough, the end of one is the beginning of the next. */
  #now = 0;
  /** Items whose calls were over when they returned, since the last {@link turn}. */
  #done = 0;

  /** To be called before the first call of a turn, and now and then in it; gives how many items were done since. */
  turn(now: number): number {
    this.#now = now;
    const done = this.#done;
    this.#done = 0;
    return done;
  }

  /** Calls the function with one item, or with a batch. */
  call(refs: readonly ItemRef[], items: readonly unknown[]): void {
    const { keys } = this.#parts;
    keys?.enter(refs);
    if (this.#call(refs, items)) keys?.leave(refs);
  }

  /** True when the call is over when it returns. */
  #call(refs: readonly ItemRef[], items: readonly unknown[]): boolean {
    const { inHand, scope, env } = this.#parts;
    const context = new CallContext(scope, refs, items);
    inHand.enter(refs);
    const startedAt = this.#now;
    let value: unknown;
    try {
      value = this.#run(this.#isBatch ? items : items[0], context);
    } catch (error) {
      inHand.leave();
      this.#now = env.clock.mono();
      this.#done += items.length;
      this.#failAll(refs, items, context, error);
      return true;
    }
    this.#now = env.clock.mono();
    if (isThenable(value)) {
      inHand.leave();
      void this.#await({ refs, items, context, startedAt, isSettled: false, timedOut: false }, items, value);
      return false;
    }
    // n.b. nobody could have told it that its time was up: what it gives back within the grace is not thrown away.
    const { timeoutMs, graceMs } = this.#parts.node.settings;
    if (this.#now - startedAt > timeoutMs + graceMs) {
      inHand.leave();
      this.#done += items.length;
      const late = timeoutError(this.#parts.node, "it blocked its process meanwhile");
      for (const [i, ref] of refs.entries()) this.#fail(ref, items[i], late, "timeout");
      return true;
    }
    // n.b. still inside the call for the watchdog: a generator's body, a getter or a `when` is user code too.
    const returned = this.#finish(refs, items, context, value);
    inHand.leave();
    if (returned !== undefined) {
      const call: Call = { refs, items, context, startedAt, isSettled: false, timedOut: false };
      void this.#await(call, items, this.#drive(refs, items, context, returned));
      return false;
    }
    this.#done += items.length;
    return true;
  }

  async #await(call: Call, items: readonly unknown[], promise: PromiseLike<unknown>): Promise<void> {
    const { env, credit } = this.#parts;
    this.active++;
    this.#parts.inHand.add(call.refs);
    this.#deadlines.add(call);
    try {
      let value: unknown;
      try {
        value = await promise;
        if (!call.timedOut && value !== DRIVEN) {
          const elements = this.#finish(call.refs, items, call.context, value);
          if (elements !== undefined) await this.#drive(call.refs, items, call.context, elements, call);
        }
      } catch (error) {
        if (call.timedOut) return;
        // Cancelled: no fault of the items. Nobody settles them, and they are given out again.
        if (call.context.isAborted) this.#parts.transactions.count("repeated:drain-cut-short", items.length);
        else this.#failAll(call.refs, items, call.context, error);
      }
    } finally {
      credit.took(env.clock.mono() - call.startedAt, items.length);
      if (call.timedOut) this.#endLate(call);
      else this.#end(call);
    }
  }

  #end(call: Call): void {
    call.isSettled = true;
    this.active--;
    this.#parts.inHand.delete(call.refs);
    this.#parts.keys?.leave(call.refs);
    this.#parts.onEnd();
  }

  /** Its time was up: whatever it gave back, its items have failed. */
  #endLate(call: Call): void {
    if (call.isSettled) return;
    for (const [i, ref] of call.refs.entries()) {
      this.#fail(ref, call.items[i], timeoutError(this.#parts.node, "it settled too late"), "timeout");
    }
    this.#end(call);
  }

  /** Deals with a settled value; gives the elements back when they come asynchronously. */
  #finish(
    refs: readonly ItemRef[],
    items: readonly unknown[],
    context: CallContext,
    value: unknown,
  ): AsyncIterable<unknown> | undefined {
    const { node, outputs, transactions } = this.#parts;
    if (!this.#isCurrent(refs)) return undefined;
    try {
      const returned = readReturned(node, value);
      if (returned.kind === "none") {
        this.#settleAll(refs, items, context, node.kind === "sink");
        return undefined;
      }
      if (returned.kind === "one") {
        if (context.failed === undefined) {
          const ref = refs[0] as ItemRef;
          const said = saidOf(node, ref);
          const placed = this.#isTask
            ? outputs.placeResult(ref.range.positionOf(ref.index), returned.value, said)
            : outputs.place(returned.value, said);
          transactions.emit(1);
          this.#settleAll(refs, items, context, placed);
        } else this.#settleAll(refs, items, context, false);
        return undefined;
      }
      const { elements } = returned;
      if (!(Symbol.iterator in elements)) return elements;
      const collector = new Collector(outputs, node.name);
      try {
        for (const element of elements) collector.add(element);
        this.#settleCollected(refs, items, context, collector);
      } finally {
        collector.close();
      }
    } catch (error) {
      this.#failAll(refs, items, context, error);
    }
    return undefined;
  }

  /** Takes the elements of an async iterable as they come. */
  async #drive(
    refs: readonly ItemRef[],
    items: readonly unknown[],
    context: CallContext,
    elements: AsyncIterable<unknown>,
    call?: Call,
  ): Promise<typeof DRIVEN> {
    const collector = new Collector(this.#parts.outputs, this.#parts.node.name);
    try {
      for await (const element of elements) {
        if (call?.timedOut === true || !this.#isCurrent(refs)) return DRIVEN;
        collector.add(element);
      }
      if (call?.timedOut !== true && this.#isCurrent(refs))
        this.#settleCollected(refs, items, context, collector);
    } finally {
      collector.close();
    }
    return DRIVEN;
  }

  #settleCollected(
    refs: readonly ItemRef[],
    items: readonly unknown[],
    context: CallContext,
    collector: Collector,
  ): void {
    const { outputs, transactions } = this.#parts;
    // A single item that failed by name takes its outputs with it; those of a batch belong to the others.
    if (context.failed !== undefined && !this.#isBatch) {
      this.#settleAll(refs, items, context, false);
      return;
    }
    outputs.placeCollected(collector.outputs);
    transactions.emit(collector.emitted);
    this.#settleAll(refs, items, context, collector.outputs.length > 0);
  }

  #settleAll(
    refs: readonly ItemRef[],
    items: readonly unknown[],
    context: CallContext,
    isCompleted: boolean,
  ): void {
    const { transactions } = this.#parts;
    const outcome = isCompleted ? "completed" : "filtered";
    for (let i = 0; i < refs.length; i++) {
      const { range, index } = refs[i] as ItemRef;
      if (context.failed?.has(i) === true)
        this.#fail(refs[i] as ItemRef, items[i], context.failed.get(i), "error");
      else {
        transactions.settle(range.number, range.offset + index, outcome);
        const blobs = range.frame.meta?.get(index)?.blobs;
        if (blobs !== undefined) transactions.refer(blobs, -1);
      }
    }
  }

  #failAll(refs: readonly ItemRef[], items: readonly unknown[], context: CallContext, error: unknown): void {
    for (let i = 0; i < refs.length; i++) {
      const own = context.failed?.has(i) === true ? context.failed.get(i) : error;
      this.#fail(refs[i] as ItemRef, items[i], own, "error");
    }
  }

  #fail(ref: ItemRef, item: unknown, thrown: unknown, reason: DeadReason): void {
    this.#failed.fail(ref, item, thrown, reason);
  }

  #isCurrent(refs: readonly ItemRef[]): boolean {
    return this.#parts.isCurrent((refs[0] as ItemRef).range.epoch);
  }

  /** Aborts what is still running; for a drain whose grace is over. */
  abortAll(reason: unknown): void {
    this.#deadlines.each((call) => call.context.abort(reason));
  }

  stop(): void {
    this.#deadlines.stop();
  }
}

/** Marks a call whose elements were taken as they came: there is no value left to read. */
const DRIVEN: unique symbol = Symbol("driven");
