import { recordKeys } from "../records/record-store.ts";
import { Frame, frameItemCount } from "../wire/frame.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import type { RecordLink } from "./record-link.ts";

/** A page is closed at this size. */
const PAGE_BYTES = 256 * 1024;
/** Smaller pages are put together when there are many: a record costs memory, however small it is. */
const SMALL_BYTES = 64 * 1024;
const MANY_SMALL = 64;
/** Decoded pages that are kept, by what they take in memory: */
const KEPT_BYTES = 32 * 1024 * 1024;
/** a tiny result takes ten times its bytes. */
const ENTRY_BYTES = 96;

/** A task's position and its result; without a result when the task was given up. */
export type Entry = readonly [position: number, result?: unknown];

/** Results that are stored and wait for their turn. */
export interface Page {
  readonly key: string;
  readonly bytes: number;
  /** Results, and tasks that were given up. */
  readonly count: number;
  /** The lowest position that is still to be taken. */
  first: number;
  /** Of a small page: all of it. */
  readonly small: Buffer | undefined;
  /** In the order of their positions, while they are kept. */
  entries: readonly Entry[] | undefined;
}

/**
 * The results of a job's tasks on their way to combine, in pages: records of many results, in the frames they came
 * in. In memory are a few words about each page, and a limited amount of decoded ones.
 */
export class ResultPages {
  readonly #link: RecordLink;
  readonly #stage: string;
  readonly #decoder = new ItemDecoder();
  readonly #small = new Set<Page>();
  #number = 0;
  #kept = 0;

  constructor(link: RecordLink, stage: string) {
    this.#link = link;
    this.#stage = stage;
  }

  /** Pages of an earlier life, oldest first. `decodes`: whether their positions are to be known. */
  async *load(decodes: boolean): AsyncGenerator<Page> {
    const prefix = recordKeys.ofStage(this.#stage, "page/");
    for await (const { key, value } of this.#link.scan(prefix)) {
      this.#number = Math.max(this.#number, Number(key.slice(prefix.length)));
      const bytes = Buffer.from(value);
      const page = this.#page(key, bytes);
      if (decodes) this.#keep(page, entriesIn(bytes, this.#decoder));
      yield page;
    }
  }

  /** Puts frames into pages, in the transaction in the making. */
  put(frames: readonly Buffer[], decodes: boolean): Page[] {
    const pages: Page[] = [];
    let group: Buffer[] = [];
    let size = 0;
    const close = (): void => {
      if (group.length === 0) return;
      const value = joined(group);
      const page = this.#write(value);
      if (decodes) this.#keep(page, entriesIn(value, this.#decoder));
      pages.push(page);
      group = [];
      size = 0;
    };
    for (const frame of frames) {
      group.push(frame);
      size += frame.length;
      if (size >= PAGE_BYTES) close();
    }
    close();
    return pages;
  }

  #write(value: Buffer): Page {
    const key = recordKeys.ofStage(this.#stage, `page/${String(++this.#number).padStart(12, "0")}`);
    this.#link.transactions.record({ key, value });
    return this.#page(key, value);
  }

  #page(key: string, value: Buffer): Page {
    const small = value.length < SMALL_BYTES ? value : undefined;
    const page: Page = {
      key,
      bytes: value.length,
      count: countIn(value),
      first: 0,
      small,
      entries: undefined,
    };
    if (small !== undefined) this.#small.add(page);
    return page;
  }

  #keep(page: Page, entries: readonly Entry[]): void {
    page.first = entries[0]?.[0] ?? 0;
    if (this.#kept + weightOf(page) > KEPT_BYTES) return;
    this.hold(page, entries);
  }

  /** The entries of a page, read back when they are not kept. */
  async read(page: Page): Promise<readonly Entry[]> {
    if (page.entries !== undefined) return page.entries;
    const value = page.small ?? (await this.#link.get(page.key));
    if (value === undefined) throw new Error(`record ${page.key}: it is gone`);
    return entriesIn(Buffer.from(value), this.#decoder);
  }

  /** A page that is worked on stays decoded. */
  hold(page: Page, entries: readonly Entry[]): void {
    if (page.entries !== undefined) return;
    page.entries = entries;
    this.#kept += weightOf(page);
  }

  /** All of a page has been taken: only its record is left. */
  taken(page: Page): void {
    this.#small.delete(page);
    if (page.entries !== undefined) this.#kept -= weightOf(page);
    page.entries = undefined;
  }

  /** Removes a page's record, in the transaction in the making. */
  remove(page: Page): void {
    this.taken(page);
    this.#link.transactions.record({ key: page.key, value: undefined });
  }

  /** Puts small pages together, if there are many: gives those that are gone, and what stands for them. */
  merge(): { readonly gone: ReadonlySet<Page>; readonly pages: readonly Page[] } | undefined {
    if (this.#small.size < MANY_SMALL) return undefined;
    const gone = [...this.#small].sort((a, b) => a.first - b.first);
    const pages: Page[] = [];
    let group: Page[] = [];
    let size = 0;
    const close = (): void => {
      if (group.length === 0) return;
      const page = this.#write(Buffer.concat(group.map(({ small }) => small as Buffer)));
      page.first = (group[0] as Page).first;
      pages.push(page);
      group = [];
      size = 0;
    };
    for (const page of gone) {
      group.push(page);
      size += page.bytes;
      if (size >= PAGE_BYTES) close();
    }
    close();
    for (const page of gone) this.remove(page);
    return { gone: new Set(gone), pages };
  }

  /** The first entry of a frame, whatever it is. */
  firstOf(frame: Frame): Entry {
    return decode(frame, this.#decoder, 0);
  }
}

/** What a page takes in memory while it is decoded. */
function weightOf({ bytes, count }: Page): number {
  return bytes + count * ENTRY_BYTES;
}

/** Frames, each behind its length. */
function joined(frames: readonly Buffer[]): Buffer {
  return Buffer.concat(
    frames.flatMap((frame) => {
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32LE(frame.length);
      return [length, frame];
    }),
  );
}

function framesIn(value: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < value.length; ) {
    const end = at + 4 + value.readUInt32LE(at);
    frames.push(Frame.parse(value.subarray(at + 4, end)));
    at = end;
  }
  return frames;
}

function decode(frame: Frame, decoder: ItemDecoder, index: number): Entry {
  const { starts, payload, table } = frame;
  return decoder.for(table)(payload, starts[index] as number, starts[index + 1] as number) as Entry;
}

/** In the order of their positions. */
function entriesIn(value: Buffer, decoder: ItemDecoder): Entry[] {
  const entries: Entry[] = [];
  let isSorted = true;
  let last = -1;
  for (const frame of framesIn(value)) {
    const { starts, payload, count } = frame;
    const read = decoder.for(frame.table);
    for (let i = 0; i < count; i++) {
      const entry = read(payload, starts[i] as number, starts[i + 1] as number) as Entry;
      if (entry[0] < last) isSorted = false;
      last = entry[0];
      entries.push(entry);
    }
  }
  return isSorted ? entries : entries.sort((a, b) => a[0] - b[0]);
}

function countIn(value: Buffer): number {
  let count = 0;
  for (let at = 0; at < value.length; at += 4 + value.readUInt32LE(at))
    count += frameItemCount(value.subarray(at + 4));
  return count;
}
