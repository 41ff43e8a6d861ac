import type { Clock } from "../../env/env.ts";
import type { RecordStore, RecordWrite } from "../../records/record-store.ts";
import { Frame } from "../../wire/frame.ts";
import type { Append, BlobDelta, CountDelta, Transaction } from "../contract.ts";
import { stageOf } from "../lanes.ts";
import { DedupeWindow } from "./dedupe-window.ts";

/** Takes out of transactions what their stages have let in before. */
export class Dedupe {
  readonly #windows = new Map<string, DedupeWindow>();

  async open(
    stage: string,
    windowMs: number,
    clock: Clock,
    records: RecordStore,
    onForgotten: (keys: number) => void,
  ): Promise<void> {
    const window = new DedupeWindow(stage, windowMs, clock);
    window.onForgotten = onForgotten;
    await window.load(records);
    this.#windows.set(stage, window);
  }

  has(stage: string): boolean {
    return this.#windows.has(stage);
  }

  /**
   * The transaction without the items that are duplicates: these are counted as accepted and discarded, and what
   * was let in is written down, all in the same transaction. To be called in the order in which transactions are
   * handed to the engine, and only for what is placed: a replayed dead letter passes by.
   */
  admit(transaction: Transaction): Transaction {
    if (this.#windows.size === 0) return transaction;
    if (!transaction.appends.some((append) => this.#windowOf(append) !== undefined)) return transaction;
    const appends: Append[] = [];
    const counts: CountDelta[] = [...transaction.counts];
    const blobs: BlobDelta[] = [...(transaction.blobs ?? [])];
    const asked = new Set<DedupeWindow>();
    // First of all of them: a frame that cannot be read refuses the transaction, and nothing must be let in then.
    const frames = transaction.appends.map((append) => this.#windowOf(append) && Frame.parse(append.frame));
    for (const [i, append] of transaction.appends.entries()) {
      const window = this.#windowOf(append);
      const frame = frames[i];
      if (window === undefined || frame === undefined) {
        appends.push(append);
        continue;
      }
      asked.add(window);
      const places: number[] = [];
      for (let place = 0; place < frame.count; place++) {
        const meta = frame.meta?.get(place);
        const key = typeof meta?.dedupeKey === "string" ? meta.dedupeKey : frame.idOf(place);
        if (window.admit(key)) places.push(place);
        else for (const blob of meta?.blobs ?? []) blobs.push([blob, -1]);
      }
      const discarded = frame.count - places.length;
      const stage = stageOf(append.stream);
      if (discarded > 0) counts.push([stage, "accepted", discarded], [stage, "discarded", discarded]);
      if (discarded === 0) appends.push(append);
      else if (places.length > 0) {
        appends.push({ ...append, frame: frame.pick(places, () => ({})), count: places.length });
      }
    }
    const records: RecordWrite[] = [...transaction.records];
    for (const window of asked) records.push(...window.writes());
    return { ...transaction, appends, counts, records, ...(blobs.length > 0 && { blobs }) };
  }

  #windowOf(append: Append): DedupeWindow | undefined {
    return append.isNew ? this.#windows.get(stageOf(append.stream)) : undefined;
  }
}
