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

/** The most that a push source takes ahead of stages with a capacity, where it has none of its own. */
const MAX_PUSHED_AHEAD = { items: 1_000_000, bytes: 64 * 1024 * 1024 };

/** The pacing of the stages that have some. */
export function pacingByStage(shape: PipelineShape): Record<string, Pacing> {
  const paced: Record<string, Pacing> = Object.create(null);
  for (const { name, input, settings } of shape.nodes) {
    const { pacing } = settings;
    if (pacing !== undefined) paced[name] = pacing;
    if (input !== "push" || pacing?.capacity !== undefined) continue;
    const fed = [...capacitiesFedBy(shape, name).values()];
    if (fed.length > 0) paced[name] = { ...pacing, capacity: pushedAhead(fed) };
  }
  return paced;
}

/** As much as the tightest of the stages takes: who pushes is to feel what was asked for, and not a backlog before it. */
function pushedAhead(fed: readonly CapacityPolicy[]): CapacityPolicy {
  const { items, bytes } = MAX_PUSHED_AHEAD;
  return {
    items: Math.min(items, ...fed.map((capacity) => capacity.items ?? items)),
    bytes: Math.min(bytes, ...fed.map((capacity) => capacity.bytes ?? bytes)),
  };
}
