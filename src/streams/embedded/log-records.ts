import type { MillraceError } from "../../errors.ts";
import {
  type KeyPage,
  type RecordPage,
  type RecordStore,
  type RecordWrite,
  recordKeys,
} from "../../records/record-store.ts";
import type { Location } from "./log.ts";
import type { RecordIndex } from "./record-index.ts";

/** A page ends when its values are so large together: it travels as one message. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** Records that live in the log: the ledger knows where, this reads and writes them. */
export class LogRecords implements RecordStore {
  readonly #index: RecordIndex;
  readonly #read: (location: Location) => Promise<Buffer>;
  readonly #write: (writes: readonly RecordWrite[]) => Promise<void>;
  /** Tail of the chain of compare-and-sets, which must not overlap. */
  #serial: Promise<unknown> = Promise.resolve();

  constructor(
    index: RecordIndex,
    read: (location: Location) => Promise<Buffer>,
    write: (writes: readonly RecordWrite[]) => Promise<void>,
  ) {
    this.#index = index;
    this.#read = read;
    this.#write = write;
  }

  async get(key: string): Promise<Buffer | undefined> {
    for (;;) {
      const location = this.#index.get(key);
      if (location === undefined) return undefined;
      try {
        return await this.#read(location);
      } catch (error) {
        // n.b. moved meanwhile: its segment may have gone under the reader.
        if (this.#index.get(key) !== location) continue;
        if ((error as MillraceError).code === "MR_LOG_CORRUPT") await this.#setAside(key, location);
        throw error;
      }
    }
  }

  /** A damaged value must not stand in the way of the others: it goes to quarantine, as far as it can be read. */
  async #setAside(key: string, { segment, offset, length }: Location): Promise<void> {
    const raw = await this.#read({ segment, offset, length }).catch(() => Buffer.alloc(0));
    await this.#write([
      { key: recordKeys.damaged(key), value: raw },
      { key, value: undefined },
    ]);
  }

  put(key: string, value: Uint8Array): Promise<void> {
    return this.#write([{ key, value }]);
  }

  delete(key: string): Promise<void> {
    return this.#write([{ key, value: undefined }]);
  }

  async scan(prefix: string, cursor = "", limit = 100): Promise<RecordPage> {
    const { keys, hasMore } = this.#index.page(prefix, cursor, limit);
    const entries: { key: string; value: Buffer }[] = [];
    let bytes = 0;
    let last = "";
    for (const key of keys) {
      if (bytes >= PAGE_BYTES) break;
      const value = await this.get(key).catch((error: unknown) => {
        if ((error as MillraceError).code === "MR_LOG_CORRUPT") return undefined;
        throw error;
      });
      if (value !== undefined) entries.push({ key, value });
      bytes += value?.length ?? 0;
      last = key;
    }
    return { entries, cursor: last !== "" && (hasMore || last !== keys.at(-1)) ? last : undefined };
  }

  keys(prefix: string, cursor = "", limit = 1_000): KeyPage {
    const { keys, hasMore } = this.#index.page(prefix, cursor, limit);
    return { keys, cursor: hasMore ? keys.at(-1) : undefined };
  }

  count(prefix: string): number {
    return this.#index.count(prefix);
  }

  compareAndSet(key: string, expected: Uint8Array | undefined, value: Uint8Array): Promise<boolean> {
    const attempt = this.#serial.then(async () => {
      const stored = await this.get(key);
      const matches =
        stored === undefined || expected === undefined
          ? stored === expected
          : Buffer.compare(stored, expected) === 0;
      if (matches) await this.put(key, value);
      return matches;
    });
    this.#serial = attempt.catch(() => undefined);
    return attempt;
  }
}
