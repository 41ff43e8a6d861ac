import type { DrainReason } from "../definition/context.ts";
import type { SourceBatch } from "../definition/source-batch.ts";
import type { Timer } from "../env/env.ts";
import { recordKeys } from "../records/record-store.ts";
import type { StreamConnection } from "../streams/connection.ts";
import { decodeStandalone } from "../wire/item-codec.ts";
import { packValue } from "../wire/packing.ts";
import { targetsOf } from "./edges.ts";
import { GivenItems } from "./given-items.ts";
import { Outputs } from "./outputs.ts";
import { SourceContext } from "./source-context.ts";
import { SourceGate } from "./source-gate.ts";
import { SourceIteration } from "./source-iteration.ts";
import type { SourceLoopOptions } from "./source-loop-options.ts";
import { SourcePlacing } from "./source-placing.ts";
import { readSourceState, SourceOrigins, type SourceState, setToken } from "./source-state.ts";
import { Transactions } from "./transactions.ts";
import { Turns } from "./turns.ts";

/** Time in which yielded items wait for company. */
const LINGER_MS = 5;
/** A checkpoint closes the frame when so many items have come since the last. */
const ITEMS_WORTH_A_CHECKPOINT = 256;
/** A source that is stopped with items that no token covers gets so long to yield again, or to set a token. */
const MAX_STEP_MS = 1_000;
/** A source that is stopped gets so long to reach its `finally`: one that waits for something may never do. */
const MAX_ENDING_MS = 1_000;

/**
 * Runs a source: takes what it yields, routes it, stores it with its checkpoints.
 *
 * S1 A token becomes durable in the transaction that holds the last item it covers, or a later one.
 * S2 After a lost connection what was not confirmed is sent again; what the streams process knows as durable is
 *    not: each transaction carries its number, and the number of the last is part of the source's stored state.
 * S3 A source that sets tokens is stopped where one covers all that is stored: nothing is given twice for a stop.
 */
export class SourceLoop {
  readonly #options: SourceLoopOptions;
  readonly #outputs: Outputs;
  readonly #placing: SourcePlacing;
  readonly #transactions: Transactions;
  readonly #key: string;
  readonly #gate: SourceGate;
  #connection: StreamConnection | undefined;
  #state: SourceState | undefined;
  #given = new GivenItems({ given: [], laned: {} });
  #sinceToken = 0;
  #sinceFlush = 0;
  #isMarked = false;
  #linger: Timer | undefined;
  #wake: (() => void) | undefined;
  /** Asked to stop at the next good place. */
  #stopping = false;
  /** To stop at any place. */
  #stopped = false;
  #closed = false;
  #hasProgressed = false;
  #iteration: SourceIteration | undefined;
  #refused: Error | undefined;

  constructor(options: SourceLoopOptions) {
    const { env, definition, node } = options;
    this.#options = options;
    const origins = new SourceOrigins(options.scope.run, node.name);
    this.#gate = new SourceGate(definition, node.name);
    this.#key = recordKeys.sourceState(node.name);
    this.#outputs = new Outputs(env, targetsOf(definition, node.name), (place, count) => {
      const state = this.#state as SourceState;
      state.nonce ||= env.random.bytes(8).toString("hex");
      return origins.at(state.nonce, place, this.#given.next(place, count));
    });
    this.#placing = new SourcePlacing(this.#outputs);
    this.#transactions = new Transactions(node.name);
  }

  async start(): Promise<void> {
    await this.#connect();
    const { definition, node } = this.#options;
    const stored = this.#connection?.welcome.sourceState;
    const targets = targetsOf(definition, node.name).length;
    this.#state = readSourceState(stored, targets);
    this.#given = new GivenItems(this.#state);
    this.#sinceToken = 0;
    this.#transactions.continueAfter(this.#state.n);
    if (this.#state.token !== undefined) this.#options.split?.resume(decodeStandalone(this.#state.token));
    // What was stored after the token will most likely be yielded again: the run's summary says how much.
    if (this.#state.sinceToken > 0 && !this.#state.isDone)
      this.#transactions.count("repeated:source-restarted", this.#state.sinceToken);
  }

  /** Whether this life took the token further: a source without tokens starts over, however much it yields. */
  get hasProgressed(): boolean {
    return this.#hasProgressed;
  }

  get isDone(): boolean {
    return this.#state?.isDone === true;
  }

  async #connect(): Promise<void> {
    for (let waitMs = 10; !this.#closed; waitMs = Math.min(500, waitMs * 2)) {
      try {
        const connection = await this.#options.connect({
          onFull: (stages, isDiskLow) => {
            this.#gate.full(stages, isDiskLow);
            this.#wake?.();
          },
          onConfirmed: (n) => {
            this.#transactions.confirmed(n);
            this.#options.onSettled();
            this.#wake?.();
          },
          onRefused: (_n, error) => {
            this.#refused = error;
            this.#options.onError(error);
            this.#wake?.();
          },
          onClose: () => {
            this.#connection = undefined;
            this.#gate.reset();
            // n.b. also while it is being stopped: what it has yielded is still to be stored.
            if (!this.#closed) void this.#connect();
          },
        });
        this.#connection = connection;
        const state = connection.welcome.sourceState;
        const durable = state === undefined ? 0 : readSourceState(state, 0).n;
        this.#transactions.resend(connection, durable);
        this.#wake?.();
        return;
      } catch {
        await this.#options.env.timers.sleep(waitMs);
      }
    }
  }

  /** Iterates to the end, or until {@link stop}. Throws what the source throws. */
  async run(): Promise<"ended" | "stopped"> {
    const { env, node, scope, split } = this.#options;
    const state = this.#state as SourceState;
    const context =
      split === undefined
        ? new SourceContext(scope, state.token, (token) => this.#checkpoint(token))
        : new SourceContext(scope);
    const given = await (node.handler.run as unknown as (context: SourceContext) => unknown)(context);
    const iteration = new SourceIteration(env, node.name, given);
    this.#iteration = iteration;
    const turns = new Turns(env);
    for (;;) {
      if (this.#isCrowded) await this.#room();
      if (this.#refused !== undefined) throw this.#refused;
      if (this.#mayStop) break;
      let step = iteration.next();
      if (step instanceof Promise) {
        if (this.#stopping) iteration.cutAfter(MAX_STEP_MS);
        const settled = await step;
        if (settled === undefined) break;
        step = settled;
      }
      // n.b. also for an asynchronous source: it may have its next item ready every time.
      if (turns.isOver()) await turns.next();
      const { done, value } = step;
      if (done === true) {
        // n.b. it may have ended because it was told to: then it goes on when the run does.
        if (this.#stopping || scope.drainReason !== undefined) break;
        split?.end(this.#outputs);
        return "ended";
      }
      // A token covers all that came before this item: it comes again when the source goes on.
      if (this.#stopping && this.#sinceToken === 0 && state.token !== undefined) break;
      if (iteration.isBatched) await this.#takeBatch(value as SourceBatch<unknown>);
      else this.#take(value);
    }
    await iteration.end(MAX_ENDING_MS, ({ message }) =>
      scope.log.warn({ error: message }, "the source threw while it was being ended"),
    );
    return "stopped";
  }

  /** Whether the iteration may end here: what is stored is covered by a token, or no token ever will. */
  get #mayStop(): boolean {
    const isCovered = this.#sinceToken === 0 || this.#options.split !== undefined;
    return this.#stopped || (this.#stopping && (isCovered || this.#state?.token === undefined));
  }

  #take(item: unknown): void {
    const { env, split } = this.#options;
    if (split === undefined) this.#placing.place(item);
    else if (!split.take(item, this.#outputs)) return;
    this.#transactions.emit(1);
    this.#sinceToken++;
    this.#sinceFlush++;
    if (this.#outputs.hasFullFrame) this.#flush();
    else
      this.#linger ??= env.timers.after(LINGER_MS, () => {
        this.#linger = undefined;
        this.#flush();
      });
  }

  /** n.b. a batch may hold more than there is room for: it is looked at in its midst, too. */
  async #takeBatch({ items, token }: SourceBatch<unknown>): Promise<void> {
    for (let i = 0; i < items.length; i++) {
      if ((i & 127) === 127 && this.#isCrowded) await this.#room();
      this.#take(items[i]);
    }
    // A job keeps its place by itself.
    if (token !== undefined && this.#options.split === undefined) this.#checkpoint(token);
  }

  #checkpoint(token: unknown): void {
    this.#cover(token);
    if (this.#sinceFlush >= ITEMS_WORTH_A_CHECKPOINT) this.#flush();
  }

  /** All that has been taken is covered by `token`. */
  #cover(token: unknown): void {
    const state = this.#state as SourceState;
    // n.b. what becomes dead letters is no progress.
    if (setToken(state, token) && !this.#placing.isRefusing) {
      this.#hasProgressed = true;
      this.#transactions.count("checkpoints", 1);
    }
    Object.assign(state, this.#given.with(this.#outputs.openItems()));
    this.#isMarked = true;
    this.#sinceToken = 0;
  }

  #flush(isDone = false): void {
    this.#linger?.cancel();
    this.#linger = undefined;
    const { split } = this.#options;
    if (split?.hasTaken === true) this.#cover(split.token);
    const frames = this.#outputs.take();
    if (frames.length === 0 && this.#transactions.isEmpty && !this.#isMarked && !isDone) return;
    const state = this.#state as SourceState;
    state.n = this.#transactions.next;
    this.#isMarked = false;
    state.sinceToken = this.#sinceToken;
    if (isDone) state.isDone = true;
    this.#sinceFlush = 0;
    this.#transactions.record({ key: this.#key, value: packValue(state) });
    // Without a connection it is kept, and sent when there is one again.
    this.#transactions.send(this.#connection, frames);
  }

  get #isCrowded(): boolean {
    const bytes = this.#transactions.unconfirmedBytes + this.#outputs.pendingBytes;
    return this.#gate.isShut(bytes, this.#transactions.outputsOnTheirWay, this.#stopping);
  }

  /** No item is asked for any more, or they are again. */
  pause(paused: boolean): void {
    this.#gate.isPaused = paused;
    this.#wake?.();
  }

  /** Waits while it is paused, too much is under way, or a stage that it feeds is full. */
  async #room(): Promise<void> {
    while (this.#isCrowded && !this.#stopped && this.#refused === undefined) {
      this.#flush();
      await this.#woken();
    }
  }

  async #woken(): Promise<void> {
    await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Stores what is left - and, at its end, that the source is done - and waits until it is durable. */
  async settle(isDone: boolean): Promise<void> {
    if (this.#sinceFlush > 0 || isDone || this.#isMarked || !this.#transactions.isEmpty) this.#flush(isDone);
    while (this.#transactions.unconfirmed > 0 && this.#refused === undefined) {
      await this.#woken();
    }
    if (this.#refused !== undefined) throw this.#refused;
  }

  /** Ends the iteration, for a source that sets tokens at the next one; its `finally` blocks run. */
  async stop(_reason: DrainReason): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#mayStop) this.#iteration?.cut();
    else this.#iteration?.cutAfter(MAX_STEP_MS);
    this.#wake?.();
  }

  /** The time for that is over: it ends wherever it is. */
  abort(): void {
    this.#stopping = true;
    this.#stopped = true;
    this.#iteration?.cut();
    this.#wake?.();
  }

  close(): void {
    this.#stopped = true;
    this.#closed = true;
    this.#linger?.cancel();
    this.#connection?.end();
  }
}
