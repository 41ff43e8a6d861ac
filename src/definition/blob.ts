import { describeValue, UsageError } from "../errors.ts";
import { blobStore, type StoredBlob } from "../wire/stored-blob.ts";

/** What a blob can be made of. */
export type BlobContent =
  | string
  | Uint8Array
  | Iterable<Uint8Array | string>
  | AsyncIterable<Uint8Array | string>;

/**
 * Stores a payload that is too large for an item (an item may have 960 KiB) and gives a reference to it, which can be
 * any part of an item. It takes bytes, a text (as UTF-8) or a stream of either, and reads a stream piece by piece:
 * the payload need not fit into memory. The blob is removed when the last delivery of an item that refers to it has
 * been settled; one whose item is a dead letter stays.
 *
 * It works inside the functions of a run's sources, stages and sinks.
 *
 * @throws UsageError MR_USAGE outside a run, and for a content that is none of these.
 */
export async function blob(content: BlobContent): Promise<StoredBlob> {
  const store = blobStore();
  if (store === undefined) {
    throw new UsageError(
      "MR_USAGE",
      "blob(): there is no run here to keep it; call it inside the function of a source, stage or sink",
    );
  }
  return await store.write(piecesOf(content));
}

async function* piecesOf(content: BlobContent): AsyncGenerator<Uint8Array> {
  if (typeof content === "string" || content instanceof Uint8Array) {
    yield bytesOf(content);
    return;
  }
  const isIterable =
    typeof content === "object" &&
    content !== null &&
    (Symbol.asyncIterator in content || Symbol.iterator in content);
  if (!isIterable) throw refused(content);
  for await (const piece of content) yield bytesOf(piece);
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === "string") return Buffer.from(piece, "utf8");
  if (piece instanceof Uint8Array) return piece;
  throw refused(piece);
}

function refused(content: unknown): UsageError {
  return new UsageError(
    "MR_USAGE",
    `blob(): it takes bytes, a text or a stream of either, got ${describeValue(content)}`,
  );
}
