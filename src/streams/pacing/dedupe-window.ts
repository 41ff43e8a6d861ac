import { createHash } from "node:crypto";
import type { Clock } from "../../env/env.ts";
import type { RecordStore, RecordWrite } from "../../records/record-store.ts";
import { DedupePages } from "./dedupe-pages.ts";
import { DIGEST_BYTES, KeyTable } from "./key-table.ts";

/** A window is forgotten in so many parts, each whole. */
const PARTS = 8;
/** Keys of one stage that are remembered: about 200 MB. Beyond, the oldest part of the window goes early. */
export const MAX_DEDUPE_KEYS = 8_000_000;

interface Part {
  readonly from: number;
  readonly keys: KeyTable;
}

/**
 * The keys that a stage has let in within the last `windowMs`.
 *
 * W1 A key is let in once in a window, whoever places it: the decision is made here, in one process, before the
 *    transaction is handed to the engine.
 * W2 What a transaction lets in is written down in the same transaction: it is known after a crash if, and only
 *    if, the item is there.
 * W3 Time never goes back: it is the wall clock at opening, or the newest moment stored, and a monotonic clock since.
 */
export class DedupeWindow {
  readonly #windowMs: number;
  readonly #maxKeys: number;
  readonly #clock: Clock;
  readonly #pages: DedupePages;
  readonly #digest = new Uint32Array(DIGEST_BYTES / 4);
  #parts: Part[] = [];
  /** Wall clock minus monotonic clock. */
  #offset: number;
  /** What came before is forgotten. */
  #horizon = 0;
  /** Called when there are too many keys, and the oldest are forgotten before their time. */
  onForgotten: (keys: number) => void = () => undefined;

  constructor(stage: string, windowMs: number, clock: Clock, maxKeys: number = MAX_DEDUPE_KEYS) {
    this.#windowMs = windowMs;
    this.#maxKeys = maxKeys;
    this.#clock = clock;
    this.#pages = new DedupePages(stage);
    this.#offset = clock.now() - clock.mono();
  }

  /** Reads what an earlier life has stored. */
  async load(records: RecordStore): Promise<void> {
    const known = await this.#pages.load(records);
    known.sort((a, b) => a.at - b.at);
    const newest = known.at(-1)?.at ?? 0;
    this.#offset = Math.max(this.#offset, newest - this.#clock.mono());
    this.#forget();
    for (const { at, digest } of known) if (at > this.#horizon) this.#add(digest, at);
  }

  get #now(): number {
    return Math.floor(this.#offset + this.#clock.mono());
  }

  /** Lets a key in, or says that it was let in before. To be asked once an item, {@link writes} once a transaction. */
  admit(key: string): boolean {
    const now = this.#now;
    const bytes = createHash("sha256").update(key).digest();
    const digest = this.#digest;
    for (let word = 0; word < digest.length; word++) digest[word] = bytes.readUInt32LE(word * 4);
    for (const { from, keys } of this.#parts) {
      const moment = keys.get(digest);
      if (moment !== undefined && from + moment + this.#windowMs > now) return false;
    }
    this.#add(digest, now);
    this.#pages.add(digest, now);
    return true;
  }

  #add(digest: Uint32Array, at: number): void {
    let part = this.#parts.at(-1);
    if (part === undefined || at - part.from >= this.#windowMs / PARTS) {
      this.#forget();
      part = { from: at, keys: new KeyTable() };
      this.#parts.push(part);
    }
    part.keys.set(digest, at - part.from);
  }

  #forget(): void {
    const horizon = this.#now - this.#windowMs;
    this.#horizon = Math.max(this.#horizon, horizon);
    // n.b. the newest key of a part came when the next one began, at the latest.
    while (this.#parts.length > 1 && (this.#parts[1] as Part).from <= this.#horizon) this.#parts.shift();
    while (this.#parts.length > 1 && this.size > this.#maxKeys) {
      const oldest = this.#parts.shift() as Part;
      this.#horizon = (this.#parts[0] as Part).from - 1;
      this.onForgotten(oldest.keys.size);
    }
  }

  /** Keys that are remembered. */
  get size(): number {
    let size = 0;
    for (const { keys } of this.#parts) size += keys.size;
    return size;
  }

  /** What the transaction whose items were asked about has to store besides. */
  writes(): RecordWrite[] {
    return this.#pages.writes(Math.max(this.#horizon, this.#now - this.#windowMs));
  }
}
