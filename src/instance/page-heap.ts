import type { Page } from "./result-pages.ts";

/** Pages by the lowest position that is still to be taken of each. */
export class PageHeap {
  #pages: Page[] = [];

  get size(): number {
    return this.#pages.length;
  }

  peek(): Page | undefined {
    return this.#pages[0];
  }

  push(page: Page): void {
    const pages = this.#pages;
    let at = pages.push(page) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((pages[parent] as Page).first <= page.first) break;
      pages[at] = pages[parent] as Page;
      at = parent;
    }
    pages[at] = page;
  }

  pop(): Page | undefined {
    const pages = this.#pages;
    const top = pages[0];
    const last = pages.pop();
    if (top === undefined || last === undefined || pages.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= pages.length) break;
      const right = child + 1;
      if (right < pages.length && (pages[right] as Page).first < (pages[child] as Page).first) child = right;
      if ((pages[child] as Page).first >= last.first) break;
      pages[at] = pages[child] as Page;
      at = child;
    }
    pages[at] = last;
    return top;
  }

  /** Puts other pages in the place of some. */
  replace(gone: ReadonlySet<Page>, by: readonly Page[]): void {
    const kept = this.#pages.filter((page) => !gone.has(page));
    this.#pages = [];
    for (const page of [...kept, ...by]) this.push(page);
  }

  *[Symbol.iterator](): Generator<Page> {
    yield* this.#pages;
  }
}
