import type { Mailbox } from "../async/mailbox.ts";
import {
  type KeyValue,
  type KeyValueChange,
  type KeyValueEntry,
  type Subscription,
  VALUE_BYTES_LIMIT,
} from "./contract.ts";
import type { LocalBucket, StoredChange } from "./local-bucket.ts";
import { encodePlain } from "./plain-data.ts";
import { checkKey } from "./subject.ts";

export interface LocalKeyValueOptions {
  readonly name: string;
  /** Rejects when the client is closed. */
  readonly bucket: () => Promise<LocalBucket>;
  readonly mailbox: (
    handle: (change: StoredChange | (() => void)) => unknown,
  ) => Mailbox<StoredChange | (() => void)>;
  /** Ends the watch when its client is closed. */
  readonly track: (subscription: Subscription) => Subscription;
}

/** A client's view of a bucket. */
export class LocalKeyValue implements KeyValue {
  readonly #options: LocalKeyValueOptions;

  constructor(options: LocalKeyValueOptions) {
    this.#options = options;
  }

  async get(key: string): Promise<KeyValueEntry | undefined> {
    checkKey(key);
    const entry = (await this.#options.bucket()).entries.get(key);
    return entry && { key, value: JSON.parse(entry.text), revision: entry.revision };
  }

  async put(key: string, value: unknown): Promise<number> {
    return this.#write(key, value, undefined);
  }

  async create(key: string, value: unknown): Promise<number> {
    return this.#write(key, value, 0);
  }

  async update(key: string, value: unknown, revision: number): Promise<number> {
    return this.#write(key, value, revision);
  }

  async delete(key: string, revision?: number): Promise<void> {
    checkKey(key);
    await (await this.#options.bucket()).write({ key, text: undefined, expected: revision });
  }

  async keys(prefix = ""): Promise<string[]> {
    const { entries } = await this.#options.bucket();
    return [...entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  async watch(
    onChange: (change: KeyValueChange) => void | Promise<void>,
    prefix = "",
  ): Promise<Subscription> {
    const bucket = await this.#options.bucket();
    // Snapshot and watcher in one turn: nothing is missed and nothing comes twice.
    const initial = [...bucket.entries].filter(([key]) => key.startsWith(prefix));
    initial.sort(([, a], [, b]) => a.revision - b.revision);
    const mailbox = this.#options.mailbox((next) =>
      typeof next === "function" ? next() : onChange(toChange(next)),
    );
    const unwatch = bucket.watch((change) => {
      if (change.key.startsWith(prefix)) mailbox.push(change);
    });
    for (const [key, entry] of initial) mailbox.push({ key, ...entry });
    return new Promise((resolve) => {
      const subscription = this.#options.track({
        close: () => {
          unwatch();
          mailbox.close();
          resolve(subscription); // closed before its start was handled: nobody may wait for ever
        },
      });
      mailbox.push(() => resolve(subscription));
    });
  }

  async #write(key: string, value: unknown, expected: number | undefined): Promise<number> {
    checkKey(key);
    const text = encodePlain(value, VALUE_BYTES_LIMIT, `value of ${this.#options.name}/${key}`);
    return (await this.#options.bucket()).write({ key, text, expected });
  }
}

function toChange({ key, text, revision }: StoredChange): KeyValueChange {
  return text === undefined
    ? { kind: "delete", key, revision }
    : { kind: "put", key, value: JSON.parse(text), revision };
}
