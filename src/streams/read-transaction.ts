import { CorruptionError, StreamError } from "../errors.ts";
import type { RecordWrite } from "../records/record-store.ts";
import { type AttemptInfo, Frame, frameItemCount } from "../wire/frame.ts";
import { unpackValue } from "../wire/packing.ts";
import { type CountDelta, type Mark, OUTCOMES, type Transaction } from "./contract.ts";
import { frameOfHandle, laneOfHandle, MAX_LANES, streamOf } from "./lanes.ts";
import type { HelloHead, StartedHead, TransactHead } from "./protocol.ts";

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
 * `at` is the time of day, for the marks of failed attempts.
 * Throws CorruptionError MR_PROTOCOL or MR_FRAME_CORRUPT, StreamError MR_STREAM_UNKNOWN.
 */
export function readTransaction(
  stage: string,
  head: TransactHead,
  blobs: readonly Buffer[],
  isStream: (name: string) => boolean,
  at: number,
): Transaction {
  for (const part of [head.settle, head.append, head.records, head.counts, head.attempts ?? []]) {
    if (!Array.isArray(part) || !part.every(Array.isArray)) broken("a list is missing");
  }
  let blob = 0;
  const settlements = head.settle.map(([handle, from, to, outcome]) => {
    if (!OUTCOMES.includes(outcome)) broken(`no outcome ${outcome}`);
    if (!isCount(handle) || !isCount(from) || !isCount(to) || from >= to)
      broken(`no range ${handle} ${from} ${to}`);
    const lane = laneOfHandle(handle);
    const stream = lane === 0 ? stage : streamOf(stage, lane);
    return { stream, frame: frameOfHandle(handle), from, to, outcome };
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
  const marks = (head.attempts ?? []).map(([handle, place, delayMs]) => {
    if (!isCount(handle) || !isCount(place) || typeof delayMs !== "number" || !(delayMs >= 0))
      broken("no attempt");
    const history = readHistory(blobs[blob++] ?? broken("the attempts of an item are missing"));
    const mark: Mark = { kills: 0, isCleared: true, failed: { delayMs, history }, last: "", at };
    return { stream: streamOf(stage, laneOfHandle(handle)), frame: frameOfHandle(handle), place, mark };
  });
  for (const [counted, counter, by] of head.counts as readonly CountDelta[]) {
    if (typeof counted !== "string" || typeof counter !== "string" || !Number.isSafeInteger(by))
      broken("no count");
  }
  const blobRefs = head.blobs ?? [];
  if (!Array.isArray(blobRefs) || !blobRefs.every(isBlobDelta)) broken("no reference to a blob");
  const counts = head.counts as readonly CountDelta[];
  return { settlements, appends, records, marks, counts, blobs: blobRefs };
}

/** It was packed by a process that runs user code as well, and will be read by another. */
function readHistory(blob: Buffer): AttemptInfo[] {
  let history: unknown;
  try {
    history = unpackValue(blob);
  } catch {
    broken("attempts that cannot be read");
  }
  const isAttempt = ({ at, error }: AttemptInfo): boolean =>
    typeof at === "number" &&
    [error?.name, error?.message, error?.stack].every((text) => typeof text === "string");
  if (!Array.isArray(history) || !history.every((attempt) => attempt !== null && isAttempt(Object(attempt))))
    broken("attempts that are none");
  return history as AttemptInfo[];
}

/** Frame, from, to of what an instance says it has begun. Throws CorruptionError MR_PROTOCOL. */
export function* readStarted(head: StartedHead): Generator<[frame: number, from: number, to: number]> {
  const { ranges } = head;
  if (!Array.isArray(ranges) || !ranges.every(Number.isSafeInteger)) {
    throw new CorruptionError("MR_PROTOCOL", "stream connection: ranges that are none");
  }
  for (let i = 0; i + 2 < ranges.length; i += 3) yield [ranges[i], ranges[i + 1], ranges[i + 2]];
}

/** Lanes that an instance names. Throws CorruptionError MR_PROTOCOL. */
export function readLanes(lanes: unknown): readonly number[] {
  if (!Array.isArray(lanes) || lanes.length > MAX_LANES || !lanes.every(isCount)) {
    throw new CorruptionError("MR_PROTOCOL", "stream connection: lanes that are none");
  }
  return lanes;
}

/** Stages that an instance passes its items on to. Throws CorruptionError MR_PROTOCOL. */
export function readPassesOn(
  { passesOn = [] }: HelloHead,
  isStage: (name: string) => boolean,
): readonly string[] {
  if (!Array.isArray(passesOn) || !passesOn.every(isStage))
    throw new CorruptionError("MR_PROTOCOL", "stream connection: it passes items on to stages that are none");
  return passesOn;
}
