import { join } from "node:path";
import type { Env } from "../env/env.ts";
import { filePieces } from "../env/file-pieces.ts";
import { type BlobStore, blobUnavailable, StoredBlob } from "../wire/stored-blob.ts";

/** A file that nothing refers to may belong to an item that is still being made: so long it is left alone. */
const UNREFERRED_MS = 60 * 60 * 1_000;

/**
 * Blobs as files of one folder.
 *
 * B1 A blob is on stable storage before its reference exists, so that no stored item refers to nothing.
 * B2 It goes when the engine says that nothing refers to it any more; what a crash left is swept up later.
 */
export class BlobFolder implements BlobStore {
  readonly #env: Env;
  readonly #directory: string;
  readonly #removing = new Set<Promise<void>>();
  #isMade = false;

  constructor(env: Env, directory: string) {
    this.#env = env;
    this.#directory = directory;
  }

  async write(content: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
    const { disk, random } = this.#env;
    if (!this.#isMade) await disk.makeDirectory(this.#directory);
    this.#isMade = true;
    const id = random.bytes(12).toString("hex");
    const path = join(this.#directory, id);
    const file = await disk.open(path, "create");
    let size = 0;
    try {
      for await (const piece of content) {
        await file.writev([piece], size);
        size += piece.byteLength;
      }
      await file.datasync();
    } catch (error) {
      await file.close();
      await disk.remove(path).catch(() => undefined);
      throw error;
    }
    await file.close();
    await disk.syncDirectory(this.#directory);
    return new StoredBlob(id, size);
  }

  async *read(id: string): AsyncIterable<Buffer> {
    const file = await this.#env.disk.open(this.#path(id), "read").catch((error: unknown) => {
      throw blobUnavailable(
        id,
        "it is gone; it can be read while a stage holds an item that refers to it",
        error,
      );
    });
    yield* filePieces(file);
  }

  async remove(id: string): Promise<void> {
    // n.b. a file that is gone already, or cannot be removed now, is the next sweep's.
    const removed = this.#env.disk.remove(this.#path(id)).catch(() => undefined);
    this.#removing.add(removed);
    await removed;
    this.#removing.delete(removed);
  }

  /** Resolves when what is being removed is gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#removing);
  }

  /** Removes what was written and never became part of a stored item. */
  async sweep(isHeld: (id: string) => boolean): Promise<void> {
    const { disk, clock } = this.#env;
    for (const id of await disk.list(this.#directory).catch(() => [])) {
      if (isHeld(id)) continue;
      const info = await disk.info(this.#path(id));
      if (info !== undefined && clock.now() - info.modifiedMs > UNREFERRED_MS) await this.remove(id);
    }
  }

  /** An id comes out of an item, and an item from anywhere: it must not lead out of the folder. */
  #path(id: string): string {
    if (!/^[0-9a-f]{24}$/.test(id)) throw blobUnavailable(id, "this is not the id of a blob");
    return join(this.#directory, id);
  }
}
