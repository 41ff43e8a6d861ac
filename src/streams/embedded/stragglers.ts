import type { Ledger } from "./ledger.ts";
import { type EntryHead, IN_BROKER, type MarkEntry, markEntry } from "./ledger-entry.ts";
import { IN_BROKER_OFFSET, type Location, type LogEntry } from "./log.ts";

/** Frames in a broker that one entry says once more. */
const AT_A_TIME = 500;

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
  let inBroker: NonNullable<EntryHead["q"]>[number][] = [];
  let marksInBroker: MarkEntry[] = [];
  const sayInBroker = (): void => {
    if (inBroker.length === 0) return;
    const head: EntryHead = {
      q: inBroker,
      ...(marksInBroker.length > 0 ? { m: marksInBroker } : {}),
      v: 1,
    };
    entries.push({ head, blobs: inBroker.map(() => IN_BROKER) });
    inBroker = [];
    marksInBroker = [];
  };
  for (const { name, index, details } of ledger.streams.values()) {
    for (const frame of index.frames()) {
      const location = index.locationOf(frame);
      if (location?.segment !== segment) continue;
      const done = [...(details.get(frame)?.done.bounds ?? [])];
      const marks = [...(ledger.marksOf(name, frame) ?? [])].map(([place, mark]) =>
        markEntry({ stream: name, frame, place, mark }),
      );
      if (location.offset === IN_BROKER_OFFSET) {
        inBroker.push([name, frame, index.countOf(frame), 0, location.length, done]);
        marksInBroker.push(...marks);
        if (inBroker.length === AT_A_TIME) sayInBroker();
        continue;
      }
      // n.b. taken together with what was just read of the ledger, before anything is waited for.
      const a = [[name, frame, index.countOf(frame), index.delayOf(frame), 0, done]] as const;
      say({ a, ...(marks.length > 0 ? { m: marks } : {}) }, await read(location));
    }
  }
  sayInBroker();
  for (const [key, location] of ledger.records) {
    if (location.segment !== segment) continue;
    const value = await read(location).catch(() => undefined);
    if (value === undefined) damaged.push(key);
    else say({ r: [[key, 1]] }, value);
  }
  return { entries, damaged };
}
