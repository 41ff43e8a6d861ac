import { BackplaneError } from "../errors.ts";
import type { BucketFile, BucketState, StoredEntry } from "./bucket-file.ts";

export interface StoredChange {
  readonly key: string;
  /** Undefined: deleted. */
  readonly text: string | undefined;
  readonly revision: number;
}

export interface BucketWrite {
  readonly key: string;
  /** Undefined deletes. */
  readonly text: string | undefined;
  /** The revision that the entry must have; 0: there must be none; undefined: whatever there is. */
  readonly expected?: number | undefined;
}

interface QueuedWrite extends BucketWrite {
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A key-value bucket of this process. Writes wait in line; what came while a file was being written goes into the
 * next one together. Readers and watchers see a write when it is durable, so that a crash takes back nothing that
 * anyone acted on; a file that could not be written leaves the bucket as it was.
 */
export class LocalBucket {
  readonly #name: string;
  readonly #file: BucketFile | undefined;
  readonly #watchers = new Set<(change: StoredChange) => void>();
  #state: BucketState;
  #queue: QueuedWrite[] = [];
  #committing: Promise<void> | undefined;

  private constructor(name: string, state: BucketState, file: BucketFile | undefined) {
    this.#name = name;
    this.#state = state;
    this.#file = file;
  }

  static async open(name: string, file?: BucketFile): Promise<LocalBucket> {
    const stored = await file?.load();
    return new LocalBucket(name, stored ?? { revision: 0, entries: new Map() }, file);
  }

  get entries(): ReadonlyMap<string, StoredEntry> {
    return this.#state.entries;
  }

  /** Resolves to the revision of the write, when it is durable. */
  write(write: BucketWrite): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ ...write, resolve, reject });
      this.#committing ??= this.#commit();
    });
  }

  watch(watcher: (change: StoredChange) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    await this.#committing;
  }

  async #commit(): Promise<void> {
    await undefined; // what is written in the same turn goes together
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      const draft = new Draft(this.#name, this.#state);
      const accepted = batch.filter((write) => draft.apply(write));
      try {
        if (draft.changes.length > 0) await this.#file?.save(draft);
      } catch (error) {
        for (const write of accepted) write.reject(error);
        continue;
      }
      this.#state = draft;
      for (const change of draft.changes) for (const watcher of this.#watchers) watcher(change);
      draft.resolve();
    }
    this.#committing = undefined;
  }
}

/** The bucket as it will be when a batch of writes is durable. */
class Draft implements BucketState {
  readonly #name: string;
  readonly entries: Map<string, StoredEntry>;
  readonly changes: StoredChange[] = [];
  readonly #outcomes: (() => void)[] = [];
  revision: number;

  constructor(name: string, state: BucketState) {
    this.#name = name;
    this.entries = new Map(state.entries);
    this.revision = state.revision;
  }

  /** False when the write does not apply; it has been refused then. */
  apply(write: QueuedWrite): boolean {
    const { key, text, expected } = write;
    const actual = this.entries.get(key)?.revision ?? 0;
    if (expected !== undefined && expected !== actual) {
      write.reject(revisionConflict(this.#name, key, expected, actual));
      return false;
    }
    if (text === undefined && actual === 0) {
      this.#outcomes.push(() => write.resolve(this.revision));
      return true;
    }
    const revision = ++this.revision;
    if (text === undefined) this.entries.delete(key);
    else this.entries.set(key, { text, revision });
    this.changes.push({ key, text, revision });
    this.#outcomes.push(() => write.resolve(revision));
    return true;
  }

  resolve(): void {
    for (const outcome of this.#outcomes) outcome();
  }
}

function revisionConflict(bucket: string, key: string, expected: number, actual: number): BackplaneError {
  const wanted = expected === 0 ? "to be absent" : `at revision ${expected}`;
  const found = actual === 0 ? "absent" : `at revision ${actual}`;
  return new BackplaneError(
    "MR_REVISION_CONFLICT",
    `key ${bucket}/${key}: expected ${wanted}, it is ${found}; read it again and decide anew`,
    { retryable: true, details: { bucket, key, expected, actual } },
  );
}
