import { blobsAreWhole, findRecord, type RecordView, readRecord } from "./log-record.ts";

export interface SegmentScan {
  readonly records: readonly RecordView[];
  /** Where the good part ends. */
  readonly end: number;
  /** Damaged places in the middle: what follows them could be read. */
  readonly holes: readonly { readonly offset: number; readonly bytes: number }[];
}

/**
 * Reads a segment from its start. In the newest one the last group is believed only as a whole, blobs
 * included: it may have been on its way to the disk when the power went, and nobody was told of it. In all
 * others damage is damage: it is stepped over and reported.
 */
export function scanSegment(segment: Buffer, isNewest: boolean): SegmentScan {
  const records: RecordView[] = [];
  const holes: { offset: number; bytes: number }[] = [];
  let at = 0;
  while (at < segment.length) {
    const record = readRecord(segment, at);
    if (record !== undefined && at + record.length <= segment.length) {
      records.push(record);
      at += record.length;
      continue;
    }
    const next = findRecord(segment, at + 1);
    if (next === undefined) break;
    holes.push({ offset: at, bytes: next - at });
    at = next;
  }
  if (!isNewest) return { records, end: at, holes };

  const last = records.at(-1);
  if (last === undefined) return { records, end: 0, holes: [] };
  const groupStart = records.findIndex((record) => record.group === last.group);
  const group = records.slice(groupStart);
  const firstOfGroup = group[0] as RecordView;
  // Holes before the group are old damage; one inside it, or a first record that is missing, tears it.
  const before = records[groupStart - 1];
  const groupOffset =
    firstOfGroup.lsn === firstOfGroup.group
      ? firstOfGroup.offset
      : before === undefined
        ? 0
        : before.offset + before.length;
  const oldHoles = holes.filter((hole) => hole.offset + hole.bytes <= groupOffset);
  const isWhole =
    firstOfGroup.lsn === firstOfGroup.group &&
    group.every((record, i) => record.lsn === firstOfGroup.lsn + i && blobsAreWhole(segment, record));
  // What is behind a whole group is a later one that never got whole: this one stands, that one goes.
  if (isWhole) return { records, end: last.offset + last.length, holes: oldHoles };
  return { records: records.slice(0, groupStart), end: groupOffset, holes: oldHoles };
}
