import { join } from "node:path";
import type { Disk } from "../env/env.ts";
import { BackplaneError, DataDirectoryError } from "../errors.ts";

const FORMAT = "millrace-bucket";
const VERSION = 1;

/** An entry of a bucket; the value as JSON. */
export interface StoredEntry {
  readonly text: string;
  readonly revision: number;
}

export interface BucketState {
  /** Of the latest write or deletion. */
  readonly revision: number;
  readonly entries: ReadonlyMap<string, StoredEntry>;
}

/** A bucket on disk: one JSON file that is replaced as a whole. Local buckets hold little and change seldom. */
export class BucketFile {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #path: string;

  constructor(disk: Disk, directory: string, bucket: string) {
    this.#disk = disk;
    this.#directory = directory;
    this.#path = join(directory, `${bucket}.json`);
  }

  /** Undefined when there is none. Throws MR_BACKPLANE_CORRUPT, MR_LOG_VERSION. */
  async load(): Promise<BucketState | undefined> {
    if ((await this.#disk.info(this.#path)) === undefined) return undefined;
    const text = (await this.#disk.readFile(this.#path)).toString("utf8");
    let stored: unknown;
    try {
      stored = JSON.parse(text);
    } catch (cause) {
      throw this.#damaged("it is not JSON", cause);
    }
    const { format, version, revision, entries } = (stored ?? {}) as Record<string, unknown>;
    if (format !== FORMAT) throw this.#damaged("it is not a bucket");
    if (version !== VERSION) {
      throw new DataDirectoryError(
        "MR_LOG_VERSION",
        `${this.#path}: written in version ${String(version)} of its format, this is ${VERSION}; use the millrace that wrote it`,
      );
    }
    if (!Number.isSafeInteger(revision) || !Array.isArray(entries)) throw this.#damaged("fields are missing");
    return { revision: revision as number, entries: new Map(entries.map((entry) => this.#entry(entry))) };
  }

  async save(state: BucketState): Promise<void> {
    const entries = [...state.entries].map(([key, { text, revision }]) => [key, revision, text]);
    await this.#disk.makeDirectory(this.#directory, { mode: 0o700 });
    const content = JSON.stringify({ format: FORMAT, version: VERSION, revision: state.revision, entries });
    await this.#disk.replaceFile(this.#path, content, { mode: 0o600 });
  }

  #entry(entry: unknown): [string, StoredEntry] {
    const [key, revision, text] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof key !== "string" || !Number.isSafeInteger(revision) || typeof text !== "string") {
      throw this.#damaged("an entry is malformed");
    }
    return [key, { text, revision: revision as number }];
  }

  #damaged(why: string, cause?: unknown): BackplaneError {
    return new BackplaneError(
      "MR_BACKPLANE_CORRUPT",
      `${this.#path}: ${why}; restore the file, or remove it to start without what it held`,
      { cause, scope: "run" },
    );
  }
}
