import type { Place } from "./open-frames.ts";

/** Items that a source has given to each target, lane 0 by the target's number, further lanes by both numbers. */
export interface Given {
  readonly given: readonly number[];
  readonly laned: Readonly<Record<string, number>>;
}

/** Counts what a source gives, so that its items are numbered - and so named - the same when it gives them again. */
export class GivenItems {
  readonly #given: number[];
  readonly #laned: Map<string, number>;

  constructor({ given, laned }: Given) {
    this.#given = [...given];
    this.#laned = new Map(Object.entries(laned));
  }

  /** The number of the first of so many items that a lane is given now. */
  next(place: Place, count: number): number {
    const first = this.#of(place);
    this.#set(place, first + count);
    return first;
  }

  #of({ target, lane }: Place): number {
    return (lane === 0 ? this.#given[target] : this.#laned.get(`${target}/${lane}`)) ?? 0;
  }

  #set({ target, lane }: Place, count: number): void {
    if (lane === 0) this.#given[target] = count;
    else this.#laned.set(`${target}/${lane}`, count);
  }

  /** What it will be when the items of the frames that are still open have been given as well. */
  with(open: Iterable<readonly [Place, number]>): Given {
    const then = new GivenItems(this.now);
    for (const [place, count] of open) then.#set(place, then.#of(place) + count);
    return then.now;
  }

  get now(): Given {
    return { given: [...this.#given], laned: Object.fromEntries(this.#laned) };
  }
}
