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

/** The pacing of the stages that have some. */
export function pacingByStage({ nodes }: PipelineShape): Record<string, Pacing> {
  const paced: Record<string, Pacing> = Object.create(null);
  for (const { name, settings } of nodes) if (settings.pacing !== undefined) paced[name] = settings.pacing;
  return paced;
}
