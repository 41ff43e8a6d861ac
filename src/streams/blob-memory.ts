import type { Random } from "../env/env.ts";
import { type BlobStore, blobUnavailable, StoredBlob } from "../wire/stored-blob.ts";

/** Blobs of runs inside this process, whose streams are in memory as well. */
export class BlobMemory implements BlobStore {
  readonly #random: Random;
  readonly #blobs = new Map<string, readonly Buffer[]>();

  constructor(random: Random) {
    this.#random = random;
  }

  async write(content: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
    const pieces: Buffer[] = [];
    let size = 0;
    for await (const piece of content) {
      // Copied: the giver may use its buffer again.
      pieces.push(Buffer.from(piece));
      size += piece.byteLength;
    }
    const id = this.#random.bytes(12).toString("hex");
    this.#blobs.set(id, pieces);
    return new StoredBlob(id, size);
  }

  async *read(id: string): AsyncIterable<Buffer> {
    const pieces = this.#blobs.get(id);
    if (pieces === undefined)
      throw blobUnavailable(id, "it is gone; it can be read while a stage holds an item that refers to it");
    for (const piece of pieces) yield Buffer.from(piece);
  }

  async remove(id: string): Promise<void> {
    this.#blobs.delete(id);
  }

  get size(): number {
    return this.#blobs.size;
  }
}
