import type { DrainReason } from "../definition/context.ts";
import type { Definition, NodeDefinition } from "../definition/shape.ts";
import type { Env, Timer } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import type { ConnectionHandlers, StreamConnection } from "../streams/connection.ts";
import { type DeliveredRange, MESSAGE } from "../streams/protocol.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import { OriginSequence } from "../wire/ids.ts";
import type { InstanceScope } from "./call-context.ts";
import { Caller } from "./caller.ts";
import { Credit } from "./credit.ts";
import { targetsOf } from "./edges.ts";
import { Failures, type FailureSettings } from "./failures.ts";
import { Groups } from "./groups.ts";
import { InHand } from "./in-hand.ts";
import { Outputs } from "./outputs.ts";
import { Transactions } from "./transactions.ts";
import { type ItemRef, WorkRange } from "./work.ts";

/** Time in which outputs may wait for company while there is more to do. */
const LINGER_MS = 5;
/** Time after which the loop lets I/O have its turn. */
const TURN_MS = 8;
/** Items announced as begun in one message: about this much time of them. */
const BEGIN_MS = 4;
const MAX_BEGIN = 1_024;
const FLUSH_ITEMS = 4_096;
/** A drain waits so long for a streams process that died to be there again. */
const MAX_TELLING_MS = 3_000;
const MAX_UNCONFIRMED_BYTES = 8 * 1024 * 1024;

export interface StageLoopOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly node: NodeDefinition;
  readonly scope: InstanceScope;
  readonly role: "worker" | "suspect";
  readonly settings: FailureSettings;
  readonly watch: Float64Array;
  connect(handlers: ConnectionHandlers, lost: number): Promise<StreamConnection>;
  /** A call outlived its grace; `abandon` when nobody will end the process for it. */
  onStuck(item: { readonly frame: number; readonly place: number } | undefined): "wait" | "abandon";
  /** Something has been settled for good. */
  onSettled(): void;
  onError(error: Error): void;
}

/**
 * Pull, transform, place, settle: the life of an instance of a stage or sink.
 *
 * P1 Outputs, retries and dead letters travel in the transaction that settles their input.
 * P2 An item is announced as begun before the user's function sees it: if the process dies of it, the streams
 *    process knows whom to suspect.
 * P3 When the connection is lost, everything in hand is void: results are dropped, the items come again.
 */
export class StageLoop {
  readonly #options: StageLoopOptions;
  readonly #decoder = new ItemDecoder();
  readonly #outputs: Outputs;
  readonly #transactions: Transactions;
  readonly #failures: Failures;
  readonly #credit: Credit;
  readonly #caller: Caller;
  readonly #inHand: InHand;
  readonly #groups: Groups | undefined;
  readonly #concurrency: number;
  #queue: WorkRange[] = [];
  #connection: StreamConnection | undefined;
  #epoch = 0;
  #pumping = false;
  #pumpSoon = false;
  #linger: Timer | undefined;
  #firstPendingAt = 0;
  #beginSize = 1;
  #draining = false;
  #stopped = false;
  #onSettledDown: (() => void) | undefined;

  constructor(options: StageLoopOptions) {
    const { env, definition, node, role } = options;
    const { batch, concurrency } = node.settings;
    const isAlone = role === "suspect";
    this.#options = options;
    this.#concurrency = isAlone ? 1 : concurrency.min;
    const origins = new OriginSequence(env.random);
    this.#outputs = new Outputs(env, targetsOf(definition, node.name), () => ({ origin: origins.next(), first: 0 }));
    this.#transactions = new Transactions(node.name);
    this.#failures = new Failures(env, node, options.settings, this.#transactions);
    this.#credit = new Credit(this.#concurrency, isAlone ? 1 : (batch?.size ?? 1));
    this.#groups =
      batch === undefined || isAlone
        ? undefined
        : new Groups(env, batch.size, batch.withinMs, () => this.#pump());
    this.#inHand = new InHand(options.watch);
    this.#caller = new Caller({
      env,
      node,
      scope: options.scope,
      outputs: this.#outputs,
      transactions: this.#transactions,
      failures: this.#failures,
      credit: this.#credit,
      inHand: this.#inHand,
      isCurrent: (epoch) => epoch === this.#epoch,
      onEnd: () => this.#schedulePump(),
      onStuck: ([ref, ...others]) =>
        options.onStuck(
          ref === undefined || others.length > 0
            ? undefined
            : { frame: ref.range.number, place: ref.range.offset + ref.index },
        ),
    });
  }

  async start(): Promise<void> {
    await this.#connect(0);
  }

  async #connect(lost: number): Promise<void> {
    const epoch = ++this.#epoch;
    const { env } = this.#options;
    for (let waitMs = 10; !this.#stopped; waitMs = Math.min(500, waitMs * 2)) {
      try {
        this.#connection = await this.#options.connect(
          {
            onDeliver: (ranges, frames) => this.#onDeliver(ranges, frames, epoch),
            onConfirmed: (n) => this.#onConfirmed(n, epoch),
            onRefused: (_n, error) => {
              this.#options.onError(error);
              // A refused settlement voids what else was in hand: nobody knows any more who holds it.
              this.#connection?.destroy();
            },
            onClose: () => this.#onClose(epoch),
          },
          lost,
        );
        // Closed meanwhile.
        if (this.#stopped) this.#connection.end();
        this.#askForMore();
        return;
      } catch (error) {
        if (ensureError(error).message.includes("secret")) throw error;
        await env.timers.sleep(waitMs);
      }
    }
  }

  #onClose(epoch: number): void {
    if (epoch !== this.#epoch || this.#stopped) return;
    const lost = this.#caller.active + this.#transactions.settledItems + this.#sentUnconfirmed;
    this.#connection = undefined;
    this.#queue = [];
    this.#groups?.clear();
    this.#outputs.clear();
    this.#failures.clear();
    this.#transactions.clear();
    this.#credit.reset();
    this.#sentUnconfirmed = 0;
    this.#sentItems.clear();
    this.#cancelLinger();
    if (this.#draining && lost === 0) {
      this.#epoch++;
      this.#checkSettledDown();
      return;
    }
    this.#mustTell = lost > 0;
    if (this.#draining) this.#limitTelling();
    void this.#connect(lost)
      .catch((error) => this.#options.onError(ensureError(error)))
      .finally(() => this.#hasTold());
  }

  /** What it has lost is counted as repeated: a drain waits until that is said, if there is anybody to hear it. */
  #mustTell = false;

  #limitTelling(): void {
    this.#options.env.timers.after(MAX_TELLING_MS, () => this.#hasTold(), { background: true });
  }

  #hasTold(): void {
    this.#mustTell = false;
    this.#checkSettledDown();
  }

  #onDeliver(ranges: readonly DeliveredRange[], frames: readonly Buffer[], epoch: number): void {
    if (epoch !== this.#epoch) return;
    let items = 0;
    for (const [i, delivered] of ranges.entries()) {
      const range = new WorkRange(delivered, frames[i] as Buffer, this.#decoder, epoch);
      items += range.count;
      this.#queue.push(range);
    }
    this.#credit.delivered(items);
    this.#pump();
  }

  /** Items in transactions that are not confirmed, by number. */
  readonly #sentItems = new Map<number, number>();
  #sentUnconfirmed = 0;

  #onConfirmed(n: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#transactions.confirmed(n);
    this.#options.onSettled();
    const items = this.#sentItems.get(n) ?? 0;
    this.#sentUnconfirmed -= items;
    this.#sentItems.delete(n);
    // n.b. not when it is sent: until then the items come again if a process dies, and one death may repeat no
    // more than the credit, however slow the disk is.
    this.#credit.settled(items);
    this.#askForMore();
    if (this.#queue.length > 0 || this.#groups?.hasReady === true) this.#pump();
    this.#checkSettledDown();
  }

  #schedulePump(): void {
    if (this.#pumpSoon) return;
    this.#pumpSoon = true;
    this.#options.env.timers.soon(() => {
      this.#pumpSoon = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    try {
      this.#work();
    } finally {
      this.#pumping = false;
    }
    this.#afterWork();
  }

  #work(): void {
    const { env } = this.#options;
    const until = env.clock.mono() + TURN_MS;
    let turns = 0;
    while (this.#caller.active < this.#concurrency) {
      if (this.#transactions.unconfirmedBytes > MAX_UNCONFIRMED_BYTES) return;
      const group = this.#groups?.take();
      if (group !== undefined) {
        if (!this.#begin(group.refs)) {
          // The announcement is stuck in a full socket: the batch goes first when there is room.
          this.#groups?.putBack(group);
          return;
        }
        this.#caller.call(group.refs, group.items);
      } else {
        const range = this.#queue[0];
        if (range === undefined || this.#draining) return;
        if (!this.#takeFrom(range)) return;
        if (range.isSpent) this.#queue.shift();
      }
      if (this.#outputs.hasFullFrame || this.#transactions.settledItems >= FLUSH_ITEMS) this.#flush();
      if ((++turns & 15) === 0 && env.clock.mono() > until) {
        this.#schedulePump();
        return;
      }
    }
  }

  /** Deals with the next item of a range; false when it must wait. */
  #takeFrom(range: WorkRange): boolean {
    const ref: ItemRef = { range, index: range.next };
    if (this.#caller.isJudged(ref)) {
      // `onFailed` is the user's code too.
      if (!this.#begin([ref])) return false;
      range.next++;
      this.#caller.settleJudged(ref);
      return true;
    }
    if (this.#groups !== undefined && range.failuresOf(ref.index) === 0) {
      range.next++;
      this.#group(this.#groups, ref);
      return true;
    }
    if (range.next >= range.begun && !this.#beginRange(range)) return false;
    range.next++;
    const decoded = this.#caller.decode(ref);
    // An item of a batch that failed before is called alone, so that it can fail nobody else again.
    if (decoded !== undefined) this.#caller.call([ref], [decoded.item]);
    return true;
  }

  #group(groups: Groups, ref: ItemRef): void {
    const decoded = this.#caller.decode(ref);
    if (decoded === undefined) return;
    const { batchBy } = this.#options.node;
    let key: unknown;
    this.#inHand.enter([ref]);
    try {
      key = batchBy === undefined ? undefined : (batchBy as (item: unknown) => unknown)(decoded.item);
    } catch (error) {
      this.#caller.fail(ref, decoded.item, error);
      return;
    } finally {
      this.#inHand.leave();
    }
    groups.add(key, ref, decoded.item);
  }

  /** Announces the next items of a range; quick functions take many at once, slow ones one by one. */
  #beginRange(range: WorkRange): boolean {
    if (this.#connection === undefined) return false;
    const costMs = this.#credit.costMs;
    const worth = costMs > 0 ? Math.max(1, Math.floor(BEGIN_MS / costMs)) : 1;
    this.#beginSize = Math.min(worth, this.#beginSize * 2, MAX_BEGIN);
    const size = this.#caller.active > 0 ? 1 : this.#beginSize;
    const to = Math.min(range.count, range.next + size);
    this.#connection.send(MESSAGE.started, {
      ranges: [range.number, range.offset + range.next, range.offset + to],
    });
    range.begun = to;
    return this.#isAnnounced();
  }

  #begin(refs: readonly ItemRef[]): boolean {
    if (this.#connection === undefined) return false;
    const ranges: number[] = [];
    for (const { range, index } of refs) {
      const place = range.offset + index;
      if (ranges.at(-3) === range.number && ranges.at(-1) === place) ranges[ranges.length - 1] = place + 1;
      else ranges.push(range.number, place, place + 1);
    }
    this.#connection.send(MESSAGE.started, { ranges });
    return this.#isAnnounced();
  }

  /** n.b. a message that is still in our own memory is lost when the process dies: wait until it has left. */
  #isAnnounced(): boolean {
    const connection = this.#connection;
    if (connection === undefined || connection.pendingBytes === 0) return true;
    connection.onceDrained(() => this.#pump());
    return false;
  }

  #afterWork(): void {
    if (this.#draining && this.#groups !== undefined) this.#groups.closeAll();
    const hasWork = this.#transactions.settledItems > 0 || !this.#transactions.isEmpty;
    if (hasWork) {
      const { env } = this.#options;
      const now = env.clock.mono();
      if (this.#firstPendingAt === 0) this.#firstPendingAt = now;
      const isIdle = this.#queue.length === 0 && this.#caller.active === 0;
      if (isIdle || this.#draining || this.#outputs.hasFullFrame || now - this.#firstPendingAt >= LINGER_MS) this.#flush();
      else this.#linger ??= env.timers.after(LINGER_MS, () => {
          this.#linger = undefined;
          this.#flush();
        });
    }
    if (this.#queue.length === 0 && !this.#draining) {
      this.#credit.ranDry();
      this.#askForMore();
    }
    this.#checkSettledDown();
  }

  #flush(): void {
    this.#cancelLinger();
    this.#firstPendingAt = 0;
    if (this.#connection === undefined || this.#transactions.isEmpty) return;
    this.#failures.flush();
    const items = this.#transactions.settledItems;
    this.#sentItems.set(this.#transactions.next, items);
    this.#sentUnconfirmed += items;
    this.#transactions.send(this.#connection, this.#outputs.take());
  }

  #cancelLinger(): void {
    this.#linger?.cancel();
    this.#linger = undefined;
  }

  #askForMore(): void {
    if (this.#draining || this.#connection === undefined) return;
    if (this.#options.role === "suspect") {
      // One at a time, the next only when the last is settled for good.
      if (this.#credit.outstanding + this.#credit.held + this.#transactions.unconfirmed > 0) return;
      this.#credit.outstanding = 1;
      this.#connection.send(MESSAGE.credit, { items: 1 });
      return;
    }
    const items = this.#credit.ask();
    if (items > 0) this.#connection.send(MESSAGE.credit, { items });
  }

  #checkSettledDown(): void {
    if (this.#options.role === "suspect" && !this.#draining) this.#askForMore();
    if (!this.#draining || this.#onSettledDown === undefined) return;
    const isBusy =
      this.#mustTell || this.#caller.active > 0 || this.#groups?.isEmpty === false || this.#transactions.settledItems > 0 || this.#transactions.unconfirmed > 0;
    if (isBusy) return;
    const done = this.#onSettledDown;
    this.#onSettledDown = undefined;
    done();
  }

  /**
   * Takes nothing new, finishes what has begun, hands the rest back. Resolves when all of it is durable and the
   * connection is closed.
   */
  async drain(_reason: DrainReason): Promise<void> {
    if (!this.#draining) {
      this.#draining = true;
      if (this.#mustTell) this.#limitTelling();
      this.#groups?.closeAll();
    }
    await new Promise<void>((resolve) => {
      this.#onSettledDown = resolve;
      this.#pump();
    });
    this.close();
  }

  /** Aborts the calls that are still running. */
  abort(reason: unknown): void {
    this.#caller.abortAll(reason);
  }

  close(): void {
    this.#stopped = true;
    this.#cancelLinger();
    this.#groups?.clear();
    this.#caller.stop();
    this.#connection?.end();
  }
}
