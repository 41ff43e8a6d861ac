import { CorruptionError, StreamError } from "../errors.ts";
import type { RecordWrite } from "../records/record-store.ts";
import { Frame, frameItemCount } from "../wire/frame.ts";
import { type CountDelta, OUTCOMES, type Transaction } from "./contract.ts";
import type { StartedHead, TransactHead } from "./protocol.ts";

/** Items of one frame, delays and counts: beyond this nothing is meant seriously. */
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isBlobDelta = (value: unknown): boolean =>
  Array.isArray(value) && typeof value[0] === "string" && Number.isSafeInteger(value[1]);

function broken(what: string): never {
  throw new CorruptionError("MR_PROTOCOL", `transaction: ${what}`);
}

/**
 * The transaction that a message asks for. It comes from a process that runs user code, so nothing in it is
 * believed: what the engine gets is whole, or the message is refused and nothing of it is done.
 * Throws CorruptionError MR_PROTOCOL or MR_FRAME_CORRUPT, StreamError MR_STREAM_UNKNOWN.
 */
export function readTransaction(
  stage: string,
  head: TransactHead,
  blobs: readonly Buffer[],
  isStream: (name: string) => boolean,
): Transaction {
  for (const part of [head.settle, head.append, head.records, head.counts]) {
    if (!Array.isArray(part) || !part.every(Array.isArray)) broken("a list is missing");
  }
  let blob = 0;
  const settlements = head.settle.map(([frame, from, to, outcome]) => {
    if (!OUTCOMES.includes(outcome)) broken(`no outcome ${outcome}`);
    if (!isCount(frame) || !isCount(from) || !isCount(to) || from >= to)
      broken(`no range ${frame} ${from} ${to}`);
    return { stream: stage, frame, from, to, outcome };
  });
  const appends = head.append.map(([stream, count, delayMs, isNew]) => {
    if (!isStream(stream)) throw new StreamError("MR_STREAM_UNKNOWN", `stream ${stream}: it was not opened`);
    const frame = blobs[blob++] ?? broken("a frame is missing");
    const problem = Frame.check(frame);
    if (problem !== undefined)
      throw new CorruptionError("MR_FRAME_CORRUPT", `frame of ${frame.length} bytes: ${problem}`);
    if (count !== frameItemCount(frame))
      broken(`a frame of ${frameItemCount(frame)} items said to have ${count}`);
    if (typeof delayMs !== "number" || !(delayMs >= 0) || typeof isNew !== "boolean") broken("no delay");
    return { stream, frame, count, delayMs, isNew };
  });
  const records: RecordWrite[] = head.records.map(([key, hasValue]) => {
    if (typeof key !== "string") broken("no key");
    return { key, value: hasValue ? (blobs[blob++] ?? broken("a value is missing")) : undefined };
  });
  for (const [counted, counter, by] of head.counts as readonly CountDelta[]) {
    if (typeof counted !== "string" || typeof counter !== "string" || !Number.isSafeInteger(by))
      broken("no count");
  }
  const blobRefs = head.blobs ?? [];
  if (!Array.isArray(blobRefs) || !blobRefs.every(isBlobDelta)) broken("no reference to a blob");
  const counts = head.counts as readonly CountDelta[];
  return { settlements, appends, records, marks: [], counts, blobs: blobRefs };
}

/** Frame, from, to of what an instance says it has begun. Throws CorruptionError MR_PROTOCOL. */
export function* readStarted(head: StartedHead): Generator<[frame: number, from: number, to: number]> {
  const { ranges } = head;
  if (!Array.isArray(ranges) || !ranges.every(Number.isSafeInteger)) {
    throw new CorruptionError("MR_PROTOCOL", "stream connection: ranges that are none");
  }
  for (let i = 0; i + 2 < ranges.length; i += 3) yield [ranges[i], ranges[i + 1], ranges[i + 2]];
}
