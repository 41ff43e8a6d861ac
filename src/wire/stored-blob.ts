import { StreamError } from "../errors.ts";

/**
 * Payloads that are too large to travel in an item: the item carries a reference, a store holds the bytes.
 * Several copies of the package may be loaded in one process (the user's and the agent's), so that the store
 * is found by a registered symbol and makes the references itself.
 */

/** Where the bytes are. */
export interface BlobStore {
  write(content: AsyncIterable<Uint8Array>): Promise<StoredBlob>;
  read(id: string): AsyncIterable<Buffer>;
}

const STORE: unique symbol = Symbol.for("millrace.blobs") as never;
const holder = globalThis as { [STORE]?: BlobStore };

/** The store of this process, if items are worked on here. */
export function blobStore(): BlobStore | undefined {
  return holder[STORE];
}

export function useBlobStore(store: BlobStore): void {
  holder[STORE] = store;
}

/** Asked for a blob where none can be: in a program that only looks at items. */
export function blobUnavailable(id: string, why: string, cause?: unknown): StreamError {
  return new StreamError("MR_BLOB_UNAVAILABLE", `blob ${id}: ${why}`, { scope: "item", cause });
}

const NOWHERE: Pick<BlobStore, "read"> = {
  // biome-ignore lint/correctness/useYield: it has nothing to give.
  async *read(id) {
    throw blobUnavailable(id, "it can be read only by the stages of its run, while they hold the item");
  },
};

/**
 * A payload that is stored beside the stream and referred to by an item. It can be part of any item, goes wherever
 * the item goes, and is removed when the last delivery of an item that holds it has been settled.
 */
export class StoredBlob {
  readonly id: string;
  /** Bytes. */
  readonly size: number;

  constructor(id: string, size: number) {
    this.id = id;
    this.size = size;
  }

  /**
   * The bytes, piece by piece. Rejects with StreamError MR_BLOB_UNAVAILABLE when they are gone, or where no items
   * are worked on.
   */
  stream(): AsyncIterable<Buffer> {
    return (blobStore() ?? NOWHERE).read(this.id);
  }

  /** All bytes at once. */
  async bytes(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.stream()) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** All of it as text, decoded as UTF-8. */
  async text(): Promise<string> {
    return (await this.bytes()).toString("utf8");
  }

  toJSON(): { readonly blob: string; readonly size: number } {
    return { blob: this.id, size: this.size };
  }
}
