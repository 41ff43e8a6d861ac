import type { DrainReason } from "../definition/context.ts";
import { ensureError } from "../errors.ts";
import type { StreamConnection } from "../streams/connection.ts";
import { type DeliveredRange, MESSAGE } from "../streams/protocol.ts";
import { ConcurrencyTuner } from "./concurrency-tuner.ts";
import type { StageLoopOptions } from "./stage-loop-options.ts";
import { type StageParts, stageParts } from "./stage-parts.ts";

/** Time after which the loop lets I/O have its turn. */
const TURN_MS = 8;
/** A drain waits so long for a streams process that died to be there again. */
const MAX_TELLING_MS = 3_000;

/**
 * Pull, transform, place, settle: the life of an instance of a stage or sink.
 *
 * P1 Outputs, retries and dead letters travel in the transaction that settles their input.
 * P2 An item is announced as begun before the user's function sees it (a lone one by being handed out): if the process
 *    dies of it, the streams process knows whom to suspect.
 * P3 When the connection is lost, everything in hand is void: results are dropped, the items come again.
 */
export class StageLoop {
  readonly #options: StageLoopOptions;
  readonly #parts: StageParts;
  readonly #tuner: ConcurrencyTuner;
  #connection: StreamConnection | undefined;
  #epoch = 0;
  #pumping = false;
  #pumpSoon = false;
  #draining = false;
  #stopped = false;
  #onSettledDown: (() => void) | undefined;

  constructor(options: StageLoopOptions) {
    this.#options = options;
    const isAlone = options.role === "suspect";
    this.#tuner = new ConcurrencyTuner(isAlone ? { min: 1, max: 1 } : options.node.settings.concurrency);
    this.#parts = stageParts(options, {
      connection: () => this.#connection,
      isCurrent: (epoch) => epoch === this.#epoch,
      concurrency: () => this.#tuner.limit,
      onReady: () => this.#pump(),
      onEnd: () => this.#schedulePump(),
      onFreed: (lane) => this.#connection?.send(MESSAGE.freed, { lanes: [lane] }),
    });
  }

  async start(): Promise<void> {
    await this.#connect(0);
  }

  async #connect(lost: number): Promise<void> {
    const epoch = ++this.#epoch;
    const { env } = this.#options;
    for (let waitMs = 10; !this.#stopped; waitMs = Math.min(500, waitMs * 2)) {
      const busy = this.#parts.keys?.busyLanes() ?? [];
      try {
        this.#connection = await this.#options.connect(
          {
            onDeliver: (ranges, frames) => this.#onDeliver(ranges, frames, epoch),
            onBreaker: (state) => this.#heard(epoch, () => this.#parts.breaker.told(state)),
            onFull: (stages) => this.#heard(epoch, () => this.#parts.backpressure?.full(stages)),
            onGrant: (grants) => this.#heard(epoch, () => this.#parts.gate?.granted(grants)),
            onConfirmed: (n) => this.#onConfirmed(n, epoch),
            onRefused: (_n, error) => {
              this.#options.onError(error);
              // A refused settlement voids what else was in hand: nobody knows any more who holds it.
              this.#connection?.destroy();
            },
            onClose: () => this.#onClose(epoch),
          },
          lost,
          busy,
        );
        this.#tellFreed(busy);
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

  /** Says of which lanes the calls have ended while the connection was being made. */
  #tellFreed(told: readonly number[]): void {
    const busy = this.#parts.keys?.busyLanes() ?? [];
    const lanes = told.filter((lane) => !busy.includes(lane));
    if (lanes.length > 0) this.#connection?.send(MESSAGE.freed, { lanes });
    if (this.#draining) this.#retire();
  }

  /** Takes nothing new: what is to come may go to others. */
  #retire(): void {
    this.#connection?.send(MESSAGE.credit, { items: 0, isLast: true });
  }

  #onClose(epoch: number): void {
    if (epoch !== this.#epoch || this.#stopped) return;
    const lost = this.#parts.caller.activeItems + this.#parts.outbox.unconfirmedItems;
    this.#connection = undefined;
    this.#parts.intake.clear();
    this.#parts.outbox.clear();
    this.#parts.credit.reset();
    this.#parts.backpressure?.reset();
    this.#parts.breaker.reset();
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
    let size = 0;
    for (const [i, delivered] of ranges.entries()) {
      const bytes = frames[i] as Buffer;
      items += this.#parts.intake.add(delivered, bytes, epoch);
      size += bytes.length;
    }
    this.#parts.credit.delivered(items, size);
    this.#pump();
  }

  /** Something that the streams process has said, and that may let work go on. */
  #heard(epoch: number, take: () => void): void {
    if (epoch !== this.#epoch) return;
    take();
    this.#pump();
  }

  /** A stage downstream takes no more; in a drain what has begun is finished all the same. */
  get #isHeld(): boolean {
    if (this.#parts.backpressure === undefined || this.#draining) return false;
    const { items, bytes } = this.#parts.outbox.onTheirWay;
    return this.#parts.backpressure.isHeld(items, bytes);
  }

  #onConfirmed(n: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    const items = this.#parts.outbox.confirmed(n);
    this.#options.onSettled();
    // n.b. not when it is sent: until then the items come again if a process dies, and one death may repeat no
    // more than the credit, however slow the disk is.
    this.#parts.credit.settled(items);
    this.#askForMore();
    if (this.#parts.intake.hasWork) this.#pump();
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
    let isBusy = false;
    try {
      isBusy = this.#work();
    } finally {
      this.#pumping = false;
    }
    this.#afterWork(isBusy);
  }

  /** Calls what can be called; true when its turn was over before that. */
  #work(): boolean {
    const { clock } = this.#options.env;
    const until = clock.mono() + TURN_MS;
    let since = until - TURN_MS;
    this.#parts.caller.turn(since);
    const measure = (): number => {
      const now = clock.mono();
      const done = this.#parts.caller.turn(now);
      if (done > 0) this.#parts.credit.took(now - since, done);
      since = now;
      return now;
    };
    for (
      let steps = 1;
      this.#parts.caller.active < this.#tuner.limit && !this.#parts.outbox.isCrowded;
      steps++
    ) {
      if (this.#isHeld || !this.#parts.breaker.mayCall()) break;
      if (!this.#parts.intake.step(!this.#draining)) break;
      this.#parts.outbox.sendIfFull();
      if ((steps & 15) === 0 && measure() > until) {
        this.#schedulePump();
        return true;
      }
    }
    measure();
    this.#takeBack();
    return false;
  }

  /** n.b. or the next death of this process would be held against an item that it never called. */
  #takeBack(): void {
    const range = this.#parts.intake.takeBack();
    if (range !== undefined) this.#connection?.send(MESSAGE.unstarted, { ranges: range });
  }

  /** Looks whether more calls at once, or fewer, would do better. */
  #tune(): void {
    const { caller, intake, credit } = this.#parts;
    const isSaturated = caller.active >= this.#tuner.limit;
    this.#tuner.look(this.#options.env.clock.mono(), intake.calls - caller.active, isSaturated);
    credit.resize(this.#tuner.limit);
  }

  #afterWork(isBusy: boolean): void {
    if (!this.#tuner.isFixed) this.#tune();
    if (this.#draining) this.#parts.intake.closeBatches();
    const isIdle = this.#parts.intake.isDry && this.#parts.caller.active === 0;
    this.#parts.outbox.sendSoon(isIdle || this.#draining || this.#isHeld, isBusy);
    if (!this.#draining) this.#parts.gate?.ask();
    if (this.#parts.intake.isDry && !this.#draining) {
      if (this.#parts.gate?.isEmpty !== false) this.#parts.credit.ranDry();
      this.#askForMore();
    }
    this.#checkSettledDown();
  }

  #askForMore(): void {
    if (this.#draining || this.#connection === undefined) return;
    if (this.#options.role === "suspect") {
      // One at a time, the next only when the last is settled for good.
      if (this.#parts.credit.outstanding + this.#parts.credit.held > 0 || !this.#parts.outbox.isEmpty) return;
      this.#parts.credit.outstanding = 1;
      this.#connection.send(MESSAGE.credit, { items: 1 });
      return;
    }
    const items = this.#parts.credit.ask();
    if (items > 0) this.#connection.send(MESSAGE.credit, { items });
  }

  #checkSettledDown(): void {
    if (this.#options.role === "suspect" && !this.#draining) this.#askForMore();
    if (!this.#draining || this.#onSettledDown === undefined) return;
    const isBusy =
      this.#mustTell ||
      this.#parts.caller.active > 0 ||
      (this.#parts.intake.hasBatches && !this.#parts.breaker.isOpen) ||
      !this.#parts.outbox.isEmpty;
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
      this.#retire();
      if (this.#mustTell) this.#limitTelling();
      this.#parts.intake.closeBatches();
    }
    await new Promise<void>((resolve) => {
      this.#onSettledDown = resolve;
      this.#pump();
    });
    this.close();
  }

  /** Aborts the calls that are still running. */
  abort(reason: unknown): void {
    this.#parts.caller.abortAll(reason);
  }

  close(): void {
    this.#stopped = true;
    this.#parts.outbox.stop();
    this.#parts.intake.clear();
    this.#parts.caller.stop();
    this.#connection?.end();
  }
}
