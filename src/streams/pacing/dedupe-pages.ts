import { type RecordStore, type RecordWrite, recordKeys } from "../../records/record-store.ts";
import { DIGEST_BYTES } from "./key-table.ts";

/** An entry: a key's digest, and when it was let in, float64 little-endian. */
const ENTRY_BYTES = DIGEST_BYTES + 8;
/** A page of so many entries is closed: it stays as it is until all of it is forgotten. */
const PAGE_ENTRIES = 4_096;
/** So many loose pages, one a transaction, become one. */
const LOOSE_PAGES = 64;

interface Page {
  readonly key: string;
  readonly newest: number;
}

export interface DedupeEntry {
  readonly digest: Uint32Array;
  readonly at: number;
}

/**
 * The stored form of a window: pages, each a record of many keys. A transaction writes what it lets in as a loose
 * page; now and then the loose ones are written again as one, so that a key never costs a record of its own.
 */
export class DedupePages {
  readonly #stage: string;
  #closed: Page[] = [];
  /** Pages that were written and are not closed, and what is in them. */
  #loose: string[] = [];
  #entries: Buffer[] = [];
  #looseCount = 0;
  #fresh: Buffer[] = [];
  #number = 0;

  constructor(stage: string) {
    this.#stage = stage;
  }

  async load(records: RecordStore): Promise<DedupeEntry[]> {
    const found: DedupeEntry[] = [];
    let cursor: string | undefined;
    do {
      const page = await records.scan(recordKeys.dedupe(this.#stage), cursor, 1_000);
      for (const { key, value } of page.entries) this.#take(key, value, found);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return found;
  }

  #take(key: string, value: Buffer, found: DedupeEntry[]): void {
    const count = Math.floor(value.length / ENTRY_BYTES);
    let newest = 0;
    for (let i = 0; i < count; i++) {
      const entry = Buffer.from(value.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES));
      const at = entry.readDoubleLE(DIGEST_BYTES);
      newest = Math.max(newest, at);
      found.push({
        at,
        digest: Uint32Array.from({ length: DIGEST_BYTES / 4 }, (_, w) => entry.readUInt32LE(w * 4)),
      });
      if (count < PAGE_ENTRIES) this.#keep(entry);
    }
    if (count < PAGE_ENTRIES) this.#loose.push(key);
    else this.#closed.push({ key, newest });
    this.#number = Math.max(
      this.#number,
      Number.parseInt(key.slice(recordKeys.dedupe(this.#stage).length), 16),
    );
  }

  #keep(entry: Buffer): void {
    this.#entries.push(entry);
    this.#looseCount++;
  }

  add(digest: Uint32Array, at: number): void {
    const entry = Buffer.allocUnsafe(ENTRY_BYTES);
    for (let w = 0; w < digest.length; w++) entry.writeUInt32LE(digest[w] as number, w * 4);
    entry.writeDoubleLE(at, DIGEST_BYTES);
    this.#fresh.push(entry);
  }

  /** Stores what was added since the last time; what is older than `horizon` goes. */
  writes(horizon: number): RecordWrite[] {
    if (this.#fresh.length === 0) return [];
    const writes: RecordWrite[] = [];
    for (const page of this.#closed)
      if (page.newest <= horizon) writes.push({ key: page.key, value: undefined });
    if (writes.length > 0) this.#closed = this.#closed.filter((page) => page.newest > horizon);
    const fresh = this.#fresh;
    this.#fresh = [];
    const isFull = this.#looseCount + fresh.length >= PAGE_ENTRIES;
    if (!isFull && this.#loose.length < LOOSE_PAGES) {
      for (const entry of fresh) this.#keep(entry);
      const key = this.#nextKey();
      this.#loose.push(key);
      writes.push({ key, value: Buffer.concat(fresh) });
      return writes;
    }
    for (const key of this.#loose) writes.push({ key, value: undefined });
    const all = [...this.#entries, ...fresh].filter((entry) => entry.readDoubleLE(DIGEST_BYTES) > horizon);
    this.#loose = [];
    this.#entries = [];
    this.#looseCount = 0;
    const key = this.#nextKey();
    writes.push({ key, value: Buffer.concat(all) });
    if (all.length >= PAGE_ENTRIES) {
      this.#closed.push({ key, newest: (all.at(-1) as Buffer).readDoubleLE(DIGEST_BYTES) });
    } else {
      this.#loose.push(key);
      for (const entry of all) this.#keep(entry);
    }
    return writes;
  }

  #nextKey(): string {
    return recordKeys.dedupe(this.#stage, (++this.#number).toString(16).padStart(12, "0"));
  }
}
