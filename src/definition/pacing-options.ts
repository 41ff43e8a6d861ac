/** The options of a stage that say how much may go to it, and what of it. */
import type { Duration } from "./duration.ts";
import { duration, functionLike, size, wholeNumber } from "./option-rules.ts";
import type { CapacityPolicy, Pacing } from "./pacing.ts";
import { group, optional, refusal, required } from "./rule.ts";
import type { NodeDefinition } from "./shape.ts";
import type { Size } from "./size.ts";

/** What was placed on the stage's stream before is discarded when it comes again. */
export interface DedupeOptions<In = unknown> {
  /** Two items with the same text are the same. Default: the item's id. */
  readonly by?: (item: In) => string;
  /** The time, from when an item was let in, in which others like it are discarded. */
  readonly windowMs: Duration;
}

/** How many items a stage begins, over all its instances. */
export interface RateOptions<In = unknown> {
  /** Items, not calls; retries count. */
  readonly limit: number;
  readonly perMs: Duration;
  /** Each text has a budget of its own. */
  readonly by?: (item: In) => string;
}

/** As much as may wait for a stage, in hand and delayed included; at least one of the two. */
export interface CapacityOptions {
  readonly items?: number;
  /** As stored. Frames count whole until all their items are settled. */
  readonly bytes?: Size;
}

/** Options that a stage's streams go by. */
export interface PacingOptions<In = unknown> {
  /** Discards an item whose like came within a window; retries and replayed dead letters pass. Default: off. */
  readonly dedupe?: DedupeOptions<In>;
  /** At most `limit` items in `perMs`, spread evenly, over all instances of the stage. Default: off. */
  readonly rate?: RateOptions<In>;
  /** Beyond it sources, and stages outside the stage's cycle, wait before they place more. Default: no limit. */
  readonly capacity?: CapacityOptions;
}

const DEDUPE = group({
  by: optional(functionLike<NonNullable<NodeDefinition["dedupeBy"]>>(), "Same text, same item."),
  windowMs: required(duration(1), "The time in which others like an item that was let in are discarded."),
});

const RATE = group({
  limit: required(wholeNumber(1), "Items that may be begun in perMs, over all instances."),
  perMs: required(duration(1), "The period."),
  by: optional(functionLike<NonNullable<NodeDefinition["rateBy"]>>(), "Each text has a budget of its own."),
});

const CAPACITY = group(
  {
    items: optional(wholeNumber(1), "Items that may wait."),
    bytes: optional(size("1KB"), "Bytes that may wait, as stored."),
  },
  ({ items, bytes }, place): CapacityPolicy => {
    if (items === undefined && bytes === undefined) throw refusal(place, "items, bytes or both", {});
    return { ...(items !== undefined && { items }), ...(bytes !== undefined && { bytes }) };
  },
);

/** The rows of the table of options. */
export const PACING_FIELDS = {
  dedupe: optional(DEDUPE, "Discard an item whose like was let in within the window."),
  rate: optional(RATE, "At most limit items in perMs, over all instances of the stage."),
  capacity: optional(CAPACITY, "Beyond it sources, and stages outside the stage's cycle, wait."),
};

type PacingValues = {
  readonly [K in keyof typeof PACING_FIELDS]: ReturnType<(typeof PACING_FIELDS)[K]["rule"]["read"]>;
};

/** What the options come to: settings, and the functions among them. */
export function pacingOf({ dedupe, rate, capacity }: PacingValues): {
  pacing?: Pacing;
  functions: Pick<NodeDefinition, "dedupeBy" | "rateBy">;
} {
  const pacing: Pacing = {
    ...(dedupe && { dedupe: { windowMs: dedupe.windowMs } }),
    ...(capacity && { capacity }),
    ...(rate && { rate: { limit: rate.limit, perMs: rate.perMs } }),
  };
  return {
    ...(Object.keys(pacing).length > 0 && { pacing }),
    functions: { ...(dedupe?.by && { dedupeBy: dedupe.by }), ...(rate?.by && { rateBy: rate.by }) },
  };
}
