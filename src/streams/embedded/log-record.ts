import { crc32 } from "node:zlib";
import { packValue, unpackValue } from "../../wire/packing.ts";
import type { LogEntry } from "./log.ts";

/**
 * A record of a segment file:
 *
 *     offset  size
 *          0     4  magic "MRLG"
 *          4     4  length of the whole record
 *          8     4  CRC-32 of bytes 12 to the end of the blob checks
 *         12     8  log sequence number, counting records
 *         20     8  sequence number of the first record of its group
 *         28     4  number of blobs
 *         32     4  length of the head
 *         36        head (MessagePack); for each blob its length (4) and CRC-32 (4); blobs
 *
 * A group is what one write and one flush made durable together. Only the last group of a log can be torn:
 * every other one was flushed before the next was begun.
 */

export const RECORD_MAGIC = 0x474c524d;
export const RECORD_FIXED_BYTES = 36;
/** Larger than the largest message that can bring one. */
export const MAX_RECORD_BYTES = 80 * 1024 * 1024;

export interface EncodedRecord {
  readonly buffers: readonly Uint8Array[];
  readonly length: number;
  /** Offset of each blob from the record's start. */
  readonly blobOffsets: readonly number[];
  readonly blobCrcs: readonly number[];
}

export function encodeRecord(entry: LogEntry, lsn: number, group: number): EncodedRecord {
  const head = packValue(entry.head);
  const lead = Buffer.allocUnsafe(RECORD_FIXED_BYTES + head.length + 8 * entry.blobs.length);
  head.copy(lead, RECORD_FIXED_BYTES);
  let at = RECORD_FIXED_BYTES + head.length;
  let length = lead.length;
  const blobOffsets: number[] = [];
  const blobCrcs: number[] = [];
  for (const blob of entry.blobs) {
    lead.writeUInt32LE(blob.byteLength, at);
    const crc = crc32(blob);
    lead.writeUInt32LE(crc, at + 4);
    blobCrcs.push(crc);
    at += 8;
    blobOffsets.push(length);
    length += blob.byteLength;
  }
  lead.writeUInt32LE(RECORD_MAGIC, 0);
  lead.writeUInt32LE(length, 4);
  lead.writeBigUInt64LE(BigInt(lsn), 12);
  lead.writeBigUInt64LE(BigInt(group), 20);
  lead.writeUInt32LE(entry.blobs.length, 28);
  lead.writeUInt32LE(head.length, 32);
  lead.writeUInt32LE(crc32(lead.subarray(12)), 8);
  return { buffers: [lead, ...entry.blobs], length, blobOffsets, blobCrcs };
}

export interface RecordView {
  readonly offset: number;
  readonly length: number;
  readonly lsn: number;
  readonly group: number;
  readonly head: unknown;
  readonly blobs: readonly { readonly offset: number; readonly length: number; readonly crc: number }[];
}

/** The record at `offset` of a segment's bytes; undefined when there is none or its head is damaged. */
export function readRecord(segment: Buffer, offset: number): RecordView | undefined {
  if (offset + RECORD_FIXED_BYTES > segment.length) return undefined;
  if (segment.readUInt32LE(offset) !== RECORD_MAGIC) return undefined;
  const length = segment.readUInt32LE(offset + 4);
  if (length < RECORD_FIXED_BYTES || length > MAX_RECORD_BYTES) return undefined;
  const blobCount = segment.readUInt32LE(offset + 28);
  const headLength = segment.readUInt32LE(offset + 32);
  const leadLength = RECORD_FIXED_BYTES + headLength + 8 * blobCount;
  if (leadLength > length || offset + leadLength > segment.length) return undefined;
  if (crc32(segment.subarray(offset + 12, offset + leadLength)) !== segment.readUInt32LE(offset + 8))
    return undefined;
  const blobs: { offset: number; length: number; crc: number }[] = [];
  let at = offset + RECORD_FIXED_BYTES + headLength;
  let blobAt = offset + leadLength;
  for (let i = 0; i < blobCount; i++) {
    const blobLength = segment.readUInt32LE(at);
    blobs.push({ offset: blobAt, length: blobLength, crc: segment.readUInt32LE(at + 4) });
    blobAt += blobLength;
    at += 8;
  }
  if (blobAt !== offset + length) return undefined;
  let head: unknown;
  try {
    head = unpackValue(segment, offset + RECORD_FIXED_BYTES, offset + RECORD_FIXED_BYTES + headLength);
  } catch {
    return undefined;
  }
  return {
    offset,
    length,
    // n.b. half the price of a bigint each, and a backlog has millions.
    lsn: segment.readUInt32LE(offset + 12) + segment.readUInt32LE(offset + 16) * 2 ** 32,
    group: segment.readUInt32LE(offset + 20) + segment.readUInt32LE(offset + 24) * 2 ** 32,
    head,
    blobs,
  };
}

/** True when all blobs of a record are there and undamaged. */
export function blobsAreWhole(segment: Buffer, record: RecordView): boolean {
  return record.blobs.every(
    (blob) =>
      blob.offset + blob.length <= segment.length &&
      crc32(segment.subarray(blob.offset, blob.offset + blob.length)) === blob.crc,
  );
}

/** Offset of the next record that can be read at or after `from`, or undefined. */
export function findRecord(segment: Buffer, from: number): number | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(RECORD_MAGIC, 0);
  for (let at = segment.indexOf(magic, from); at >= 0; at = segment.indexOf(magic, at + 1)) {
    if (readRecord(segment, at) !== undefined) return at;
  }
  return undefined;
}
