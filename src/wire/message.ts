import { crc32 } from "node:zlib";
import { CorruptionError } from "../errors.ts";
import { packValue, unpackValue } from "./packing.ts";

/**
 * Messages of the local stream protocol:
 *
 *     offset  size
 *          0     4  length of what follows this field
 *          4     4  CRC-32 of bytes 8 to the end of the blob lengths
 *          8     1  type
 *          9     1  zero
 *         10     2  number of blobs
 *         12     4  length of the head
 *         16        head (MessagePack), lengths of the blobs (4 bytes each), blobs
 *
 * Blobs are frames and carry checksums of their own.
 */

const FIXED_BYTES = 16;
/** The length field: a hostile one is refused when it is there, before anything is kept for it. */
const LENGTH_BYTES = 4;
/** Nothing larger is read, whatever a length field says. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** The buffers of a message, to be written in order. */
export function encodeMessage(type: number, head: unknown, blobs: readonly Uint8Array[] = []): Uint8Array[] {
  const headBytes = packValue(head);
  const lead = Buffer.allocUnsafe(FIXED_BYTES + headBytes.length + 4 * blobs.length);
  let total = lead.length;
  let at = FIXED_BYTES;
  headBytes.copy(lead, at);
  at += headBytes.length;
  for (const blob of blobs) {
    lead.writeUInt32LE(blob.byteLength, at);
    at += 4;
    total += blob.byteLength;
  }
  lead.writeUInt32LE(total - 4, 0);
  lead[8] = type;
  lead[9] = 0;
  lead.writeUInt16LE(blobs.length, 10);
  lead.writeUInt32LE(headBytes.length, 12);
  lead.writeUInt32LE(crc32(lead.subarray(8)), 4);
  return [lead, ...blobs];
}

export interface Message {
  readonly type: number;
  readonly head: unknown;
  readonly blobs: readonly Buffer[];
}

/** Puts messages together from the chunks of a byte stream. */
export class MessageReader {
  readonly #onMessage: (message: Message) => void;
  /** Longest message that is taken; may be raised when it is known who speaks. */
  maxBytes: number;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes that must be there before another look is worth it. */
  #needed = LENGTH_BYTES;
  #failed = false;

  constructor(onMessage: (message: Message) => void, maxBytes = MAX_MESSAGE_BYTES) {
    this.#onMessage = onMessage;
    this.maxBytes = maxBytes;
  }

  /**
   * Throws CorruptionError MR_PROTOCOL, and what the receiver throws; the stream is of no use afterwards, and
   * what still comes is dropped.
   */
  push(chunk: Buffer): void {
    if (this.#failed) return;
    try {
      this.#push(chunk);
    } catch (error) {
      // n.b. or the messages before the bad one would be read once more with the next chunk.
      this.#failed = true;
      this.#chunks = [];
      throw error;
    }
  }

  #push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#needed) return;
    let bytes =
      this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks, this.#buffered);
    for (;;) {
      if (bytes.length < LENGTH_BYTES) {
        this.#needed = LENGTH_BYTES;
        break;
      }
      const length = bytes.readUInt32LE(0) + 4;
      if (length < FIXED_BYTES || length > this.maxBytes) {
        throw new CorruptionError("MR_PROTOCOL", `message: a length of ${length} bytes is not possible`);
      }
      if (bytes.length < length) {
        this.#needed = length;
        break;
      }
      const message = decodeMessage(bytes.subarray(0, length));
      bytes = bytes.subarray(length);
      this.#onMessage(message);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#buffered = bytes.length;
  }
}

/** Decodes one whole message. Throws CorruptionError MR_PROTOCOL. */
export function decodeMessage(bytes: Buffer): Message {
  const blobCount = bytes.readUInt16LE(10);
  const headLength = bytes.readUInt32LE(12);
  const leadLength = FIXED_BYTES + headLength + 4 * blobCount;
  if (leadLength > bytes.length)
    throw new CorruptionError("MR_PROTOCOL", "message: its head is longer than itself");
  if (crc32(bytes.subarray(8, leadLength)) !== bytes.readUInt32LE(4)) {
    throw new CorruptionError("MR_PROTOCOL", "message: its checksum does not match");
  }
  let head: unknown;
  try {
    head = unpackValue(bytes.subarray(FIXED_BYTES, FIXED_BYTES + headLength));
  } catch (error) {
    throw new CorruptionError("MR_PROTOCOL", "message: its head is not MessagePack", { cause: error });
  }
  const blobs: Buffer[] = [];
  let at = leadLength;
  for (let i = 0; i < blobCount; i++) {
    const length = bytes.readUInt32LE(FIXED_BYTES + headLength + 4 * i);
    if (at + length > bytes.length)
      throw new CorruptionError("MR_PROTOCOL", "message: a blob is longer than the rest");
    blobs.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== bytes.length) throw new CorruptionError("MR_PROTOCOL", "message: bytes are left over");
  return { type: bytes[8] as number, head, blobs };
}
