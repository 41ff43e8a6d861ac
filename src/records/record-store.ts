/** A change to the records: a value, or `undefined` for its removal. */
export interface RecordWrite {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export interface RecordPage {
  /** In the order of their keys, without those whose values are damaged. */
  readonly entries: readonly { readonly key: string; readonly value: Buffer }[];
  /** Where the next page starts; undefined after the last. */
  readonly cursor: string | undefined;
}

export interface KeyPage {
  readonly keys: readonly string[];
  /** Where the next page starts; undefined after the last. */
  readonly cursor: string | undefined;
}

/**
 * Durable key → bytes beside the streams: dead letters, checkpoints, quarantine, results. Keys are text, listed
 * in the order of their code units.
 */
export interface RecordStore {
  /** Throws CorruptionError MR_LOG_CORRUPT, once, when the stored value is damaged: it is set aside then. */
  get(key: string): Promise<Buffer | undefined>;
  put(key: string, value: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  /** Keys that start with `prefix`, after `cursor`; at most `limit` (default 100), fewer when they are large. */
  scan(prefix: string, cursor?: string, limit?: number): Promise<RecordPage>;
  /** Only the keys of them; at most `limit`, default 1000. */
  keys(prefix: string, cursor?: string, limit?: number): KeyPage;
  /** Number of keys that start with `prefix`. */
  count(prefix: string): number;
  /** Writes only if the stored value equals `expected` (undefined: if there is none); tells whether it did. */
  compareAndSet(key: string, expected: Uint8Array | undefined, value: Uint8Array): Promise<boolean>;
}

/** Keys of the records of a run. */
export const recordKeys = {
  deadLetters: (stage?: string): string => (stage === undefined ? "dead/" : `dead/${stage}/`),
  deadLetter: (stage: string, id: string): string => `dead/${stage}/${id}`,
  /** Pages of what a stage's `dedupe` has let in. */
  dedupe: (stage: string, page = ""): string => `dedupe/${stage}/${page}`,
  /** What a stage keeps for itself. */
  ofStage: (stage: string, name = ""): string => `stage/${stage}/${name}`,
  sourceState: (source: string): string => `source/${source}`,
  /** How many partitions the items of a stage with `orderBy` were placed by. */
  partitions: (stage: string): string => `partitions/${stage}`,
  /** In place of a source's name: one of those who push into it. */
  pusher: (source: string, name: string): string => `push/${source}/${name}`,
  /** There when a push source takes no more items. */
  inputClosed: (source: string): string => `closed/${source}`,
  quarantine: (stage: string, frame: number): string => `quarantine/${stage}/${frame}`,
  /** Where a record goes whose stored value is damaged. */
  damaged: (key: string): string => `damaged/${key}`,
};
