import { type Batched, SOURCE_BATCHES, type SourceBatch } from "../definition/source-batch.ts";

/**
 * What a ready-made source gives back. Millrace takes its batches; to everybody else it is an async iterable, which
 * sets the checkpoints of its batches as it goes: a generator that passes its items on keeps their safety.
 */
export class BatchFeed<T> implements AsyncIterable<T>, Batched<T> {
  readonly #batches: AsyncGenerator<SourceBatch<T>, void, undefined>;
  readonly #checkpoint: (token: unknown) => void;

  constructor(
    batches: AsyncGenerator<SourceBatch<T>, void, undefined>,
    checkpoint: (token: unknown) => void,
  ) {
    this.#batches = batches;
    this.#checkpoint = checkpoint;
  }

  [SOURCE_BATCHES](): AsyncIterator<SourceBatch<T>> {
    return this.#batches;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const { items, token } of this.#batches) {
      yield* items;
      if (token !== undefined) this.#checkpoint(token);
    }
  }
}
