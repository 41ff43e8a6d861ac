import { blobsAreWhole, findRecord, type RecordView, readRecord } from "./log-record.ts";

export interface SegmentScan {
  /** Where the good part ends. */
  readonly end: number;
  /** Damaged places in the middle: what follows them could be read. */
  readonly holes: readonly { readonly offset: number; readonly bytes: number }[];
}

/**
 * Reads a segment from its start and hands on its records. In the newest one the last group is believed only as
 * a whole, blobs included: it may have been on its way to the disk when the power went, and nobody was told of
 * it. In all others damage is damage: it is stepped over and reported.
 */
export function scanSegment(
  segment: Buffer,
  isNewest: boolean,
  onRecord: (record: RecordView) => void,
): SegmentScan {
  const holes: { offset: number; bytes: number }[] = [];
  /** Newest segment: the records of the group that may turn out to be the last, and where the one before ended. */
  let group: RecordView[] = [];
  let groupStart = 0;
  let end = 0;
  for (let at = 0; at < segment.length; ) {
    const record = readRecord(segment, at);
    if (record !== undefined && at + record.length <= segment.length) {
      if (!isNewest) onRecord(record);
      else {
        if (group[0]?.group !== record.group) {
          group.forEach(onRecord);
          group = [];
          groupStart = end;
        }
        group.push(record);
      }
      at += record.length;
      end = at;
      continue;
    }
    const next = findRecord(segment, at + 1);
    if (next === undefined) break;
    holes.push({ offset: at, bytes: next - at });
    at = next;
  }
  if (!isNewest) return { end, holes: holes.filter((hole) => hole.offset < end) };

  const [first] = group;
  if (first === undefined) return { end: 0, holes: [] };
  // A hole right before the group is old damage, unless it is where the group's own beginning was.
  const groupOffset = first.lsn === first.group ? first.offset : groupStart;
  const oldHoles = holes.filter((hole) => hole.offset + hole.bytes <= groupOffset);
  const isWhole =
    first.lsn === first.group &&
    group.every((record, i) => record.lsn === first.lsn + i && blobsAreWhole(segment, record));
  // What is behind a whole group is a later one that never got whole: this one stands, that one goes.
  if (!isWhole) return { end: groupOffset, holes: oldHoles };
  group.forEach(onRecord);
  return { end, holes: oldHoles };
}
