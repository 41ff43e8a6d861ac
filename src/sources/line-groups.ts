import type { LineBlock } from "./line-blocks.ts";
import { withoutReturn } from "./line-rows.ts";
import type { RowReader, Rows } from "./row-reader.ts";

/** So many lines make an item; the last of a file may have fewer. */
export class LineGroups implements RowReader<string[]> {
  readonly state = undefined;
  readonly #size: number;
  #open: string[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  read({ lines }: LineBlock): Rows<string[]> {
    const before = this.#open.length;
    const all = [...this.#open, ...lines.map(withoutReturn)];
    const whole = all.length - (all.length % this.#size);
    const items: string[][] = [];
    for (let i = 0; i < whole; i += this.#size) items.push(all.slice(i, i + this.#size));
    this.#open = all.slice(whole);
    return { items, upTo: whole >= before ? whole - before : undefined };
  }

  end(): Rows<string[]> {
    return { items: this.#open.length === 0 ? [] : [this.#open], upTo: undefined };
  }
}
