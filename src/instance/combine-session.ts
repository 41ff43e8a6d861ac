import type { JobDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { ensureError, RunError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { type DeliveredRange, MESSAGE } from "../streams/protocol.ts";
import { Frame } from "../wire/frame.ts";
import { encodeStandalone } from "../wire/item-codec.ts";
import { packValue, unpackValue } from "../wire/packing.ts";
import type { CombineCalls } from "./combine-calls.ts";
import type { Combiner } from "./combiner.ts";
import { Credit } from "./credit.ts";
import { FoldCombiner } from "./fold-combiner.ts";
import { LargeRecord } from "./large-record.ts";
import { ListCombiner } from "./list-combiner.ts";
import type { RecordLink } from "./record-link.ts";
import { ResultPages } from "./result-pages.ts";
import { END_POSITION } from "./split-tasks.ts";

/** A fold's state is stored so often, */
const CHECKPOINT_MS = 1_000;
/** but not in more than this part of the time. */
const CHECKPOINT_SHARE = 0.05;
/** The record of how many tasks a job had whose result was made, and may have to be made again. */
const TOTAL = "total";
/** What an item costs to store, milliseconds: it is only to be known that it is little. */
const STORE_MS = 0.001;

/** The word that there are no more tasks: where it lies, and how many there were. */
interface End {
  readonly frame: number;
  readonly place: number;
  readonly total: number;
}

export interface SessionParts {
  readonly env: Env;
  readonly job: JobDefinition;
  /** The job's. */
  readonly name: string;
  readonly stage: string;
  readonly link: RecordLink;
  readonly calls: CombineCalls;
  readonly context: unknown;
  /** Set when combine has failed in this life: nothing of it is tried again. */
  readonly hasFailed: () => boolean;
  onSettled(): void;
  onFailed(error: RunError): void;
}

/**
 * Combine's work over one connection.
 *
 * B1 A result is written down in the transaction that settles it, before anything is made of it: that cannot fail.
 * B2 The job's result is stored in the transaction that settles the word that there are no more tasks: until then
 *    that word comes again, and the stage is not complete.
 * B3 A result that comes of a task which was given up and put back, when the job's result has been made, is settled in
 *    the transaction that stores another result, with it.
 * B4 All that this life knows is stored or can be read again: the next connection begins from the records.
 */
export class CombineSession {
  readonly #parts: SessionParts;
  readonly #pages: ResultPages;
  readonly #combiner: Combiner;
  readonly #credit = new Credit(1, 1);
  /** The word that there are no more tasks, in hand. */
  #end: End | undefined;
  /** An earlier life has made the result of so many tasks. */
  #reopened: number | undefined;
  /** Then: results that have come since, not settled. */
  #late: DeliveredRange[] = [];
  #isOver = false;
  #draining = false;
  #checkpointAt: number;
  #wake: () => void = () => undefined;

  constructor(parts: SessionParts) {
    const { env, job, stage, link, calls, context } = parts;
    this.#parts = parts;
    const pages = new ResultPages(link, stage);
    this.#pages = pages;
    const { combine } = job;
    this.#combiner =
      typeof combine === "object"
        ? new FoldCombiner({ env, link, stage, fold: combine, pages, calls, context })
        : new ListCombiner(pages, combine as ConstructorParameters<typeof ListCombiner>[1], calls, context);
    this.#checkpointAt = env.clock.mono() + CHECKPOINT_MS;
    link.onNews = () => this.#wake();
    this.#credit.took(STORE_MS, 1);
  }

  /** Works until it is drained or the connection is lost. Throws LinkLost then. */
  async run(): Promise<void> {
    await this.#failing(() => this.#load());
    while (!this.#draining) {
      if (this.#parts.link.isClosed) return;
      if (this.#parts.link.inbox.length > 0) await this.#store();
      else if (await this.#combine())
        await new Promise<void>((resolve) => this.#parts.env.timers.soon(resolve));
      else await this.#wait();
    }
    if (this.#mayCombine && this.#combiner.canCheckpoint)
      await this.#failing(() => this.#combiner.checkpoint());
  }

  async #load(): Promise<void> {
    const { link, stage } = this.#parts;
    await this.#combiner.load();
    const total = await link.get(recordKeys.ofStage(stage, TOTAL));
    if (total === undefined) return;
    this.#reopened = unpackValue(total) as number;
    this.#combiner.reopen();
  }

  drain(): void {
    this.#draining = true;
    this.#wake();
  }

  get #mayCombine(): boolean {
    return !this.#isOver && !this.#parts.hasFailed();
  }

  /** Does what may throw on behalf of the user. */
  async #failing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      this.#parts.onFailed(error);
    }
  }

  async #wait(): Promise<void> {
    this.#credit.ranDry();
    this.#ask();
    const { env, link } = this.#parts;
    if (link.inbox.length > 0 || link.isClosed || this.#draining) return;
    await new Promise<void>((resolve) => {
      // A state that is left alone is stored after a while; results that never come are missed then.
      const isUseful = this.#mayCombine && (this.#combiner.canCheckpoint || this.#end !== undefined);
      const timer = isUseful ? env.timers.after(CHECKPOINT_MS, resolve) : undefined;
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
    });
    this.#wake = () => undefined;
    if (this.#mayCombine && this.#end !== undefined) await this.#failing(() => this.#miss(this.#end as End));
  }

  /** Fails when there are results that can come no more: their tasks were set aside with a damaged frame, say. */
  async #miss({ total }: End): Promise<void> {
    const { link, stage } = this.#parts;
    const { streams } = await link.stats();
    const isLeft = ({ name, unsettled }: { name: string; unsettled: number }): boolean =>
      name === stage ? unsettled > 1 : unsettled > 0;
    if (link.inbox.length > 0 || this.#combiner.isComplete(total) || this.#combiner.canStep) return;
    if (streams.some(isLeft)) return;
    const text = `of its ${total} tasks some have no result and never will: they were discarded or quarantined`;
    throw new RunError("MR_JOB_FAILED", `job ${this.#parts.name}: ${text}; begin anew with --new`, {
      scope: "run",
    });
  }

  #ask(): void {
    const items = this.#credit.ask();
    if (items > 0) this.#parts.link.send(MESSAGE.credit, { items });
  }

  async #store(): Promise<void> {
    const { link, onSettled } = this.#parts;
    const { transactions } = link;
    const delivered = link.inbox;
    link.inbox = [];
    const frames: Buffer[] = [];
    let items = 0;
    for (const { range, bytes } of delivered) {
      this.#credit.delivered(range.n, bytes.length);
      const [position, total] = this.#pages.firstOf(Frame.parse(bytes));
      // n.b. split's frames hold nothing else.
      if (position === END_POSITION) {
        this.#end = { frame: range.f, place: range.o, total: total as number };
        continue;
      }
      if (this.#reopened === undefined) transactions.settle(range.f, range.o, "completed", range.n);
      else this.#late.push(range);
      frames.push(bytes);
      items += range.n;
    }
    const pages = this.#pages.put(frames, this.#combiner.decodes);
    await link.commit();
    this.#combiner.add(pages);
    if (this.#reopened === undefined) {
      this.#credit.settled(items);
      this.#ask();
      if (items > 0) onSettled();
    }
    const merged = this.#pages.merge();
    if (merged === undefined) return;
    this.#combiner.replace(merged.gone, merged.pages);
    await link.commit();
  }

  /** One step further; false when there is nothing to be done now. */
  async #combine(): Promise<boolean> {
    if (!this.#mayCombine) return false;
    const combiner = this.#combiner;
    const total = this.#end?.total ?? (this.#late.length > 0 ? this.#reopened : undefined);
    const isComplete = total !== undefined && combiner.isComplete(total) && (await this.#isAllThere());
    if (!combiner.canStep && !isComplete && !this.#isDue) return false;
    await this.#failing(async () => {
      if (combiner.canStep) await combiner.step();
      else if (isComplete) await this.#finish(total);
      if (!this.#isOver && this.#isDue) await this.#checkpoint();
    });
    return true;
  }

  /** Where tasks may be given up and put back, their number does not say that nothing more will come. */
  async #isAllThere(): Promise<boolean> {
    const { job, link, stage } = this.#parts;
    if (job.onTaskFailure === "fail" || this.#end === undefined) return true;
    const { streams } = await link.stats();
    return streams.every(({ name, unsettled }) => unsettled <= (name === stage ? 1 : 0));
  }

  get #isDue(): boolean {
    return this.#combiner.canCheckpoint && this.#parts.env.clock.mono() >= this.#checkpointAt;
  }

  async #checkpoint(): Promise<void> {
    const { clock } = this.#parts.env;
    const before = clock.mono();
    await this.#combiner.checkpoint();
    const now = clock.mono();
    this.#checkpointAt = now + Math.max(CHECKPOINT_MS, (now - before) / CHECKPOINT_SHARE);
  }

  async #finish(total: number): Promise<void> {
    const { link, stage, calls, onSettled } = this.#parts;
    const { transactions } = link;
    const isKept = await this.#hasLetters();
    if (isKept) await this.#combiner.keep();
    const value = await this.#combiner.finish(total);
    let bytes: Buffer;
    calls.enter();
    try {
      bytes = encodeStandalone(value);
    } catch (error) {
      throw calls.failure("what combine gave back cannot be stored", ensureError(error));
    } finally {
      calls.leave();
    }
    const result = new LargeRecord(link, stage, "result");
    if (this.#reopened !== undefined) await result.read();
    await result.write(bytes);
    if (isKept) transactions.record({ key: recordKeys.ofStage(stage, TOTAL), value: packValue(total) });
    else this.#combiner.clear();
    let settled = 0;
    if (this.#end !== undefined) {
      transactions.settle(this.#end.frame, this.#end.place, "completed");
      settled++;
      this.#isOver = !isKept;
    }
    for (const { f, o, n } of this.#late) {
      transactions.settle(f, o, "completed", n);
      settled += n;
    }
    this.#end = undefined;
    this.#late = [];
    await link.commit();
    if (isKept) {
      this.#reopened = total;
      this.#combiner.reopen();
    }
    this.#credit.settled(settled);
    this.#ask();
    onSettled();
  }

  /** Whether tasks were given up, that may be put back. */
  async #hasLetters(): Promise<boolean> {
    if (this.#parts.job.onTaskFailure === "fail") return false;
    if (this.#reopened !== undefined) return true;
    const { counts } = await this.#parts.link.stats();
    return (counts.process?.dead ?? 0) > 0;
  }
}
