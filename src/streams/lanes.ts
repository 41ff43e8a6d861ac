import type { Priority } from "../definition/priority.ts";

/**
 * A stage's stream has *lanes*: streams of the engine beside one another. Lane 0 bears the stage's name alone, the
 * others are `STAGE~1`, `STAGE~2` … To the engine a lane is a stream like any other; all that is counted, recorded
 * or reported goes by the stage. A stage with `orderBy` has a lane a partition, every other one a lane a priority.
 */

/** No name of a stage has it. */
const SEPARATOR = "~";
/** Frames of one lane; both fit into a safe integer with as many lanes as there may be. */
const FRAMES = 2 ** 42;
export const MAX_LANES = 1_024;
export const PRIORITY_LANES: Readonly<Record<Priority, number>> = { normal: 0, high: 1, low: 2 };
/** Of the lanes of priorities, in the order of {@link PRIORITY_LANES}' numbers: so many items each in a round. */
export const LANE_WEIGHTS: readonly number[] = [4, 16, 1];

/** The engine's name for a lane. */
export function streamOf(stage: string, lane: number): string {
  return lane === 0 ? stage : `${stage}${SEPARATOR}${lane}`;
}

/** The stage that a lane belongs to. */
export function stageOf(stream: string): string {
  const end = stream.indexOf(SEPARATOR);
  return end < 0 ? stream : stream.slice(0, end);
}

/** The number of a lane; NaN where the name is of none. */
export function laneOf(stream: string): number {
  const end = stream.indexOf(SEPARATOR);
  if (end < 0) return 0;
  const digits = stream.slice(end + 1);
  return /^[1-9][0-9]{0,3}$/.test(digits) ? Number(digits) : Number.NaN;
}

/** Lanes of a stage: a partition each, or (no partitions) a priority each. */
export function laneCount(partitions: number): number {
  return partitions > 0 ? partitions : LANE_WEIGHTS.length;
}

/** The names of all lanes of a stage. */
export function lanesOf(stage: string, partitions: number): string[] {
  return Array.from({ length: laneCount(partitions) }, (_, lane) => streamOf(stage, lane));
}

/** One number for a frame of any lane of a stage: by it instances and streams process know the frame. */
export function handleOf(lane: number, frame: number): number {
  return lane * FRAMES + frame;
}

export function laneOfHandle(handle: number): number {
  return Math.floor(handle / FRAMES);
}

export function frameOfHandle(handle: number): number {
  return handle % FRAMES;
}

/** The partition of a key: the same in every process, on every machine, in every version. FNV-1a, then mixed. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  // n.b. the low bits of FNV alone are poor: keys that differ in their last character would fall side by side.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}
