import { join } from "node:path";
import type { Env } from "../env/env.ts";
import { BucketFile } from "./bucket-file.ts";
import type { Backplane, ObjectBucket } from "./contract.ts";
import { LocalBucket } from "./local-bucket.ts";
import { LocalClient } from "./local-client.ts";
import { LeaseTable } from "./local-lease.ts";
import { DirectoryObjects, MemoryObjects } from "./local-objects.ts";
import { LocalRouter } from "./local-router.ts";

export interface LocalBackplaneOptions {
  /**
   * Where buckets, objects and lease epochs are kept, so that a later process finds them; in memory without one.
   * One process at a time: whoever opens it must hold the lock of what it belongs to.
   */
  readonly directory?: string;
  /** Gets what handlers throw and which messages were lost. Default: a warning of the process. */
  readonly onError?: (error: Error) => void;
}

/** The backplane of one process: coordinator, agent and console each `connect` to the same object. */
export class LocalBackplane {
  readonly #env: Env;
  readonly #directory: string | undefined;
  readonly #onError: (error: Error) => void;
  readonly #router = new LocalRouter();
  readonly #buckets = new Map<string, Promise<LocalBucket>>();
  readonly #objects = new Map<string, ObjectBucket>();
  readonly #leases: LeaseTable;
  readonly #clients = new Set<LocalClient>();

  constructor(env: Env, options: LocalBackplaneOptions = {}) {
    this.#env = env;
    this.#directory = options.directory;
    this.#onError = options.onError ?? ((error) => process.emitWarning(error));
    this.#leases = new LeaseTable(env.clock, () => this.#bucket("_leases"));
  }

  /** A client of its own: closing it ends what was begun through it and nothing else. */
  connect(name: string, options: { readonly onError?: (error: Error) => void } = {}): Backplane {
    const client = new LocalClient({
      name,
      env: this.#env,
      router: this.#router,
      leases: this.#leases,
      bucket: (bucket) => this.#bucket(bucket),
      objects: (bucket) => this.#objectBucket(bucket),
      onError: options.onError ?? this.#onError,
      onClose: () => this.#clients.delete(client),
    });
    this.#clients.add(client);
    return client;
  }

  /** Closes every client and resolves when what was being written is durable. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.close()));
    const buckets = await Promise.allSettled(this.#buckets.values());
    await Promise.all(
      buckets.map((bucket) => (bucket.status === "fulfilled" ? bucket.value.settled() : undefined)),
    );
  }

  #bucket(name: string): Promise<LocalBucket> {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      const directory = this.#directory;
      const file = directory && new BucketFile(this.#env.disk, join(directory, "kv"), name);
      bucket = LocalBucket.open(name, file || undefined);
      this.#buckets.set(name, bucket);
      // A file that was mended can be opened later.
      bucket.catch(() => this.#buckets.delete(name));
    }
    return bucket;
  }

  #objectBucket(name: string): ObjectBucket {
    let bucket = this.#objects.get(name);
    if (bucket === undefined) {
      const directory = this.#directory;
      bucket = directory
        ? new DirectoryObjects(this.#env.disk, join(directory, "objects", name))
        : new MemoryObjects();
      this.#objects.set(name, bucket);
    }
    return bucket;
  }
}
