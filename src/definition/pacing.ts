import { capacitiesFedBy } from "./capacities.ts";
import type { PipelineShape } from "./shape.ts";

/** How much may go to a stage, and what of it: the part of its settings that the streams process goes by. */
export interface Pacing {
  readonly dedupe?: DedupePolicy;
  readonly rate?: RatePolicy;
  readonly capacity?: CapacityPolicy;
  readonly breaker?: BreakerPolicy;
}

export interface DedupePolicy {
  /** Milliseconds in which an item that was seen before is discarded. */
  readonly windowMs: number;
}

export interface RatePolicy {
  /** Items that may be begun in `perMs` milliseconds, retries included. */
  readonly limit: number;
  readonly perMs: number;
}

/** As much as may wait on the stage's stream before its producers do; at least one of the two. */
export interface CapacityPolicy {
  readonly items?: number;
  readonly bytes?: number;
}

export interface BreakerPolicy {
  /** Of the last items, this part must fail. */
  readonly share: number;
  /** So many items are looked at. */
  readonly after: number;
}

/** Of a push source that has to wait for a stage and was given no capacity of its own: pushes wait beyond it. */
const PUSHED_AHEAD: CapacityPolicy = { items: 1_000_000, bytes: 64 * 1024 * 1024 };

/** The pacing of the stages that have some. */
export function pacingByStage(shape: PipelineShape): Record<string, Pacing> {
  const paced: Record<string, Pacing> = Object.create(null);
  for (const { name, input, settings } of shape.nodes) {
    const { pacing } = settings;
    if (pacing !== undefined) paced[name] = pacing;
    if (input !== "push" || pacing?.capacity !== undefined) continue;
    if (capacitiesFedBy(shape, name).size > 0) paced[name] = { ...pacing, capacity: PUSHED_AHEAD };
  }
  return paced;
}
