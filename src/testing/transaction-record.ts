import type { DeadLetter } from "../definition/dead-letter.ts";
import { recordKeys } from "../records/record-store.ts";
import { readLetter } from "../run/dead-letters.ts";
import type { Append, MarkWrite, StreamEngine, Transaction } from "../streams/contract.ts";
import { stageOf } from "../streams/lanes.ts";
import { Frame } from "../wire/frame.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import type { SimulatedRetry } from "./simulation-result.ts";

/** Reads off the transactions of a run what its items came to: they hold what counts, and nothing that was void. */
export class TransactionRecord {
  readonly retries: SimulatedRetry[] = [];
  readonly dead: DeadLetter[] = [];
  readonly outputs = new Map<string, unknown[]>();
  /** Frames by stream and number. */
  readonly #delivered = new Map<string, Buffer>();
  /** Failed attempts that were seen of items that kept their places. */
  readonly #attempts = new Map<string, number>();
  readonly #decoder = new ItemDecoder();
  readonly #isJob: boolean;
  readonly #now: () => number;

  constructor(isJob: boolean, now: () => number) {
    this.#isJob = isJob;
    this.#now = now;
  }

  watch(engine: StreamEngine): void {
    const transact = engine.transact.bind(engine);
    engine.transact = async (transaction) => {
      await transact(transaction);
      this.#add(transaction);
    };
    const consume = engine.consume.bind(engine);
    engine.consume = (stream, onDelivery) =>
      consume(stream, (delivery) => {
        this.#delivered.set(`${stream}/${delivery.frame}`, delivery.content.bytes);
        onDelivery(delivery);
      });
  }

  #add({ settlements, appends, records, counts, marks }: Transaction): void {
    const from = stageOf(settlements[0]?.stream ?? counts[0]?.[0] ?? "");
    for (const append of appends) {
      if (append.isNew) this.#placed(from, append);
      else this.#retried(append);
    }
    for (const mark of marks) this.#keptPlace(mark);
    for (const { key, value } of records)
      if (value !== undefined && key.startsWith(recordKeys.deadLetters())) this.#buried(value);
  }

  #placed(from: string, { stream, frame: bytes }: Append): void {
    const isResult = this.#isJob && stageOf(stream) === "combine";
    // Between the parts of a job moves more than what its functions give: the end of the split, say.
    if (isResult && from === "split") return;
    const frame = Frame.parse(bytes);
    const outputs = this.outputs.get(from) ?? [];
    this.outputs.set(from, outputs);
    for (let place = 0; place < frame.count; place++) {
      const item = this.#itemOf(frame, place);
      if (!isResult) outputs.push(item);
      // A task's place and its result; of one that was skipped its place alone.
      else if ((item as unknown[]).length > 1) outputs.push((item as unknown[])[1]);
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

  /** A failed item of an ordered stage stays where it is: its attempts are a mark. */
  #keptPlace({ stream, frame: number, place, mark }: MarkWrite): void {
    const history = mark.failed?.history ?? [];
    const last = history.at(-1);
    const bytes = this.#delivered.get(`${stream}/${number}`);
    const name = `${stream}/${number}/${place}`;
    // The mark of a death repeats what was known.
    if (last === undefined || bytes === undefined || this.#attempts.get(name) === history.length) return;
    this.#attempts.set(name, history.length);
    const frame = Frame.parse(bytes);
    this.retries.push({
      stage: stageOf(stream),
      item: this.#itemOf(frame, place),
      id: frame.idOf(place),
      attempt: history.length,
      atMs: this.#now(),
      delayMs: mark.failed?.delayMs ?? 0,
      error: last.error,
    });
  }

  #buried(value: Uint8Array): void {
    this.dead.push(readLetter(value, this.#decoder).letter);
  }

  #itemOf({ table, starts, payload }: Frame, place: number): unknown {
    return this.#decoder.for(table)(payload, starts[place] as number, starts[place + 1] as number);
  }
}
