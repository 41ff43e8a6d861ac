import type { CombineCalls } from "./combine-calls.ts";
import type { Combiner } from "./combiner.ts";
import type { Page, ResultPages } from "./result-pages.ts";

type CombineAll = (results: unknown[], context: unknown) => unknown;

/** The simple form: results stay in their pages until all are there, then one function gets the list. */
export class ListCombiner implements Combiner {
  readonly decodes = false;
  readonly canStep = false;
  readonly canCheckpoint = false;
  readonly #pages: ResultPages;
  readonly #combine: CombineAll | undefined;
  readonly #calls: CombineCalls;
  readonly #context: unknown;
  #stored = new Set<Page>();
  #count = 0;

  constructor(pages: ResultPages, combine: CombineAll | undefined, calls: CombineCalls, context: unknown) {
    this.#pages = pages;
    this.#combine = combine;
    this.#calls = calls;
    this.#context = context;
  }

  async load(): Promise<void> {
    for await (const page of this.#pages.load(false)) this.add([page]);
  }

  add(pages: readonly Page[]): void {
    for (const page of pages) {
      this.#stored.add(page);
      this.#count += page.count;
    }
  }

  replace(gone: ReadonlySet<Page>, by: readonly Page[]): void {
    for (const page of gone) this.#stored.delete(page);
    for (const page of by) this.#stored.add(page);
  }

  async step(): Promise<void> {}

  async checkpoint(): Promise<void> {}

  isComplete(total: number): boolean {
    return this.#count >= total;
  }

  async finish(total: number): Promise<unknown> {
    const results = new Array<unknown>(total);
    const isThere = new Uint8Array(total);
    for (const page of this.#stored) {
      for (const entry of await this.#pages.read(page)) {
        const [position, result] = entry;
        if (entry.length < 2 || position >= total) continue;
        results[position] = result;
        isThere[position] = 1;
      }
    }
    const list = isThere.includes(0) ? results.filter((_, position) => isThere[position] === 1) : results;
    const combine = this.#combine;
    if (combine === undefined) return list;
    return await this.#calls.call("combine threw", () => combine(list, this.#context));
  }

  reopen(): void {}

  async keep(): Promise<void> {}

  clear(): void {
    for (const page of this.#stored) this.#pages.remove(page);
    this.#stored = new Set();
  }
}
