/** The options of a stage that say how much may go to it, and what of it. */
import type { Duration } from "./duration.ts";
import { duration, functionLike, size, wholeNumber } from "./option-rules.ts";
import type { BreakerPolicy, CapacityPolicy, Pacing } from "./pacing.ts";
import { group, optional, type Rule, refusal, required, rule, standard } from "./rule.ts";
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

/** When a stage is paused because nearly all of its items fail. */
export interface BreakerOptions {
  /** The part of the last items that failed, above 0 and at most 1. Default 0.9. */
  readonly share?: number;
  /** How many items are looked at. Default 1,000. */
  readonly after?: number;
}

/** Options that a stage's streams go by. */
export interface PacingOptions<In = unknown> {
  /** Discards an item whose like came within a window; retries and replayed dead letters pass. Default: off. */
  readonly dedupe?: DedupeOptions<In>;
  /** At most `limit` items in `perMs`, spread evenly, over all instances of the stage. Default: off. */
  readonly rate?: RateOptions<In>;
  /** Beyond it sources, and stages outside the stage's cycle, wait before they place more. Default: no limit. */
  readonly capacity?: CapacityOptions;
  /** Pauses the stage, and tries again now and then, when nearly all of its items fail; `false`: never. */
  readonly breaker?: BreakerOptions | false;
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

const BREAKER = group({
  share: standard(
    rule("a number above 0 and at most 1", (value) =>
      typeof value === "number" && value > 0 && value <= 1 ? value : undefined,
    ),
    0.9,
    "The part of the last items that failed.",
  ),
  after: standard(wholeNumber(1), 1_000, "How many items are looked at."),
});

const BREAKER_OR_NONE: Rule<BreakerPolicy | undefined> = {
  ...BREAKER,
  expects: "false, or an object of share, after",
  read: (value, place) => (value === false ? undefined : BREAKER.read(value, place)),
};

/** The rows of the table of options. */
export const PACING_FIELDS = {
  dedupe: optional(DEDUPE, "Discard an item whose like was let in within the window."),
  rate: optional(RATE, "At most limit items in perMs, over all instances of the stage."),
  breaker: standard(BREAKER_OR_NONE, {}, "Pause the stage when nearly all of its items fail."),
  capacity: optional(CAPACITY, "Beyond it sources, and stages outside the stage's cycle, wait."),
};

type PacingValues = {
  readonly [K in keyof typeof PACING_FIELDS]: ReturnType<(typeof PACING_FIELDS)[K]["rule"]["read"]>;
};

/** What the options come to: settings, and the functions among them. */
export function pacingOf({ dedupe, rate, capacity, breaker }: PacingValues): {
  pacing?: Pacing;
  functions: Pick<NodeDefinition, "dedupeBy" | "rateBy">;
} {
  const pacing: Pacing = {
    ...(dedupe && { dedupe: { windowMs: dedupe.windowMs } }),
    ...(capacity && { capacity }),
    ...(breaker && { breaker }),
    ...(rate && { rate: { limit: rate.limit, perMs: rate.perMs } }),
  };
  return {
    ...(Object.keys(pacing).length > 0 && { pacing }),
    functions: { ...(dedupe?.by && { dedupeBy: dedupe.by }), ...(rate?.by && { rateBy: rate.by }) },
  };
}
