import type { DeadLetter } from "../definition/dead-letter.ts";
import { recordKeys } from "../records/record-store.ts";
import { readLetter } from "../run/dead-letters.ts";
import type { Append, StreamEngine, Transaction } from "../streams/contract.ts";
import { stageOf } from "../streams/lanes.ts";
import { Frame } from "../wire/frame.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import type { SimulatedRetry } from "./simulation-result.ts";

/** Reads off the transactions of a run what its items came to: they hold what counts, and nothing that was void. */
export class TransactionRecord {
  readonly retries: SimulatedRetry[] = [];
  readonly dead: DeadLetter[] = [];
  readonly outputs = new Map<string, unknown[]>();
  readonly #decoder = new ItemDecoder();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  watch(engine: StreamEngine): void {
    const transact = engine.transact.bind(engine);
    engine.transact = async (transaction) => {
      await transact(transaction);
      this.#add(transaction);
    };
  }

  #add({ settlements, appends, records, counts }: Transaction): void {
    const from = stageOf(settlements[0]?.stream ?? counts[0]?.[0] ?? "");
    for (const append of appends) {
      if (append.isNew) this.#placed(from, append);
      else this.#retried(append);
    }
    for (const { key, value } of records)
      if (value !== undefined && key.startsWith(recordKeys.deadLetters())) this.#buried(value);
  }

  #placed(from: string, { frame: bytes }: Append): void {
    const frame = Frame.parse(bytes);
    for (let place = 0; place < frame.count; place++) {
      const outputs = this.outputs.get(from);
      if (outputs === undefined) this.outputs.set(from, [this.#itemOf(frame, place)]);
      else outputs.push(this.#itemOf(frame, place));
    }
  }

  #retried({ stream, frame: bytes, delayMs }: Append): void {
    const frame = Frame.parse(bytes);
    for (let place = 0; place < frame.count; place++) {
      const history = frame.meta?.get(place)?.history ?? [];
      const last = history.at(-1);
      if (last === undefined) continue;
      this.retries.push({
        stage: stageOf(stream),
        item: this.#itemOf(frame, place),
        id: frame.idOf(place),
        attempt: history.length,
        atMs: this.#now(),
        delayMs,
        error: last.error,
      });
    }
  }

  #buried(value: Uint8Array): void {
    this.dead.push(readLetter(value, this.#decoder).letter);
  }

  #itemOf({ table, starts, payload }: Frame, place: number): unknown {
    return this.#decoder.for(table)(payload, starts[place] as number, starts[place + 1] as number);
  }
}
