import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * What a sink under test writes down of every item that it is given, into a file of its own process, before it
 * returns: outside the system under test, so that nothing of it can hide there.
 */
export interface SinkRecord {
  /** The item's own number, from its source. */
  readonly id: number;
  /** Folded by every stage on the way: {@link fold}. */
  readonly path: number;
  /** The sink's process. */
  readonly pid: number;
  /** When, by the system's monotonic clock, in milliseconds: the same in all processes. */
  readonly at: number;
  /** The item's id on each stream that it came over, in order, hashed: {@link hashOf}. */
  readonly hops: readonly bigint[];
}

export const HOPS = 3;
const HEAD_BYTES = 24;
export const RECORD_BYTES = HEAD_BYTES + 8 * HOPS;

export function encodeSinkRecord(into: Buffer, record: SinkRecord): void {
  into.writeUInt32LE(record.id, 0);
  into.writeUInt32LE(record.path, 4);
  into.writeUInt32LE(record.pid, 8);
  into.writeUInt32LE(0x5ec0_4d11, 12);
  into.writeDoubleLE(record.at, 16);
  for (let hop = 0; hop < HOPS; hop++)
    into.writeBigUInt64LE(record.hops[hop] as bigint, HEAD_BYTES + 8 * hop);
}

/** Items that have reached the sinks whose files lie in a folder, repeats included. */
export function reachedIn(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) bytes += statSync(join(folder, name)).size;
  return Math.floor(bytes / RECORD_BYTES);
}

/** All whole records of a file; a process that is killed may leave a part of one at the end. */
export function decodeSinkRecords(bytes: Buffer): SinkRecord[] {
  const records: SinkRecord[] = [];
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    if (bytes.readUInt32LE(at + 12) !== 0x5ec0_4d11)
      throw new Error(`sink file: no record begins at byte ${at}`);
    const hops: bigint[] = [];
    for (let hop = 0; hop < HOPS; hop++) hops.push(bytes.readBigUInt64LE(at + HEAD_BYTES + 8 * hop));
    records.push({
      id: bytes.readUInt32LE(at),
      path: bytes.readUInt32LE(at + 4),
      pid: bytes.readUInt32LE(at + 8),
      at: bytes.readDoubleLE(at + 16),
      hops,
    });
  }
  return records;
}

/** One step of the path that an item takes: FNV-1a over the path so far and the node's name. */
export function fold(path: number, node: string): number {
  let hash = (0x811c_9dc5 ^ path) >>> 0;
  for (let i = 0; i < node.length; i++) hash = Math.imul(hash ^ node.charCodeAt(i), 0x0100_0193) >>> 0;
  return hash;
}

/** 64 bits of an item's id: two FNV-1a of 32. */
export function hashOf(text: string): bigint {
  let low = 0x811c_9dc5;
  let high = 0x1234_5678;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x0100_0193) >>> 0;
    high = Math.imul(high ^ code, 0x0100_01b3) >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The system's monotonic clock in milliseconds. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
