import type { Ledger } from "./ledger.ts";
import { type EntryHead, markEntry } from "./ledger-entry.ts";
import type { Location, LogEntry } from "./log.ts";

/** Entries that say once more what still lives in a segment, and records there that cannot be read. */
export async function entriesIn(
  segment: number,
  ledger: Ledger,
  read: (location: Location) => Promise<Buffer>,
): Promise<{ entries: LogEntry[]; damaged: string[] }> {
  const entries: LogEntry[] = [];
  const damaged: string[] = [];
  const say = (head: EntryHead, blob: Buffer): void => {
    entries.push({ head: { ...head, v: 1 } satisfies EntryHead, blobs: [blob] });
  };
  for (const { name, index, details } of ledger.streams.values()) {
    for (const frame of index.frames()) {
      const location = index.locationOf(frame);
      if (location?.segment !== segment) continue;
      const done = [...(details.get(frame)?.done.bounds ?? [])];
      const marks = [...(ledger.marksOf(name, frame) ?? [])].map(([place, mark]) =>
        markEntry({ stream: name, frame, place, mark }),
      );
      // n.b. taken together with what was just read of the ledger, before anything is waited for.
      const a = [[name, frame, index.countOf(frame), index.delayOf(frame), 0, done]] as const;
      say({ a, ...(marks.length > 0 ? { m: marks } : {}) }, await read(location));
    }
  }
  for (const [key, location] of ledger.records) {
    if (location.segment !== segment) continue;
    const value = await read(location).catch(() => undefined);
    if (value === undefined) damaged.push(key);
    else say({ r: [[key, 1]] }, value);
  }
  return { entries, damaged };
}
