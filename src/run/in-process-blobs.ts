import type { Env } from "../env/env.ts";
import { BlobMemory } from "../streams/blob-memory.ts";
import type { StreamEngine } from "../streams/contract.ts";
import { blobStore, useBlobStore } from "../wire/stored-blob.ts";

let memory: BlobMemory | undefined;

/** Keeps the blobs of a run's items in this process, unless they have a place already. */
export function keepBlobsInMemory(env: Env, engine: StreamEngine): void {
  // One for the whole process: a blob is read where its item is, whichever run that belongs to.
  memory ??= new BlobMemory(env.random);
  const blobs = memory;
  if (blobStore() === undefined) useBlobStore(blobs);
  engine.onBlobFree((blob) => void blobs.remove(blob));
}
