/** The options of a stage that say in which order its items are worked on. */
import { DefinitionError } from "../errors.ts";
import { functionLike, oneOf } from "./option-rules.ts";
import { isPriority, type Priority } from "./priority.ts";
import { optional, type Rule, refusal, rule } from "./rule.ts";
import type { NodeDefinition, OrderPolicy } from "./shape.ts";

/** Partitions of a stage with `orderBy` where nothing else is said. */
const PARTITIONS = 32;
const MAX_PARTITIONS = 1_024;

/** Options by which a stage's items are put in order. */
export interface LaneOptions<In = unknown> {
  /**
   * Items of one key are worked on one at a time, in the order in which they were placed. Called where the item is
   * placed; what throws, or gives back no text, fails the item that was in hand there. Default: no order is kept.
   */
  readonly orderBy?: (item: In) => string;
  /** With `orderBy`: keys are spread over so many partitions, 1 to 1,024, each with one instance at a time. Default 32. */
  readonly partitions?: number;
  /**
   * With `orderBy`: whether an item that failed and will be tried again holds back the others of its key (`hold`),
   * or lets them pass. Default `hold`.
   */
  readonly onKeyFailure?: "hold" | "pass";
  /**
   * High items overtake the others, low ones give way, and never starve: 16 to 4 to 1 where all three wait. A
   * function is called where the item is placed. Not together with `orderBy`. Default `normal`.
   */
  readonly priority?: Priority | ((item: In) => Priority);
}

const partitions: Rule<number> = rule(`a whole number from 1 to ${MAX_PARTITIONS}`, (value) =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_PARTITIONS
    ? (value as number)
    : undefined,
);

const priority: Rule<NonNullable<NodeDefinition["priority"]>> = {
  expects: '"high", "normal", "low", or a function that gives one of them',
  read(value, place) {
    if (isPriority(value)) return value;
    if (typeof value !== "function") throw refusal(place, this.expects, value);
    return value as (item: never) => unknown;
  },
};

/** The rows of the table of options. */
export const LANE_FIELDS = {
  orderBy: optional(
    functionLike<NonNullable<NodeDefinition["orderBy"]>>(),
    "Items of one key one at a time, in the order they were placed.",
  ),
  partitions: optional(partitions, `With orderBy: keys are spread over so many, ${PARTITIONS} by default.`),
  onKeyFailure: optional(
    oneOf("hold", "pass"),
    'With orderBy: a failing item holds back those of its key ("hold", the default), or lets them pass.',
  ),
  priority: optional(priority, 'How soon an item is worked on; "normal" by default. Not with orderBy.'),
};

type LaneValues = {
  readonly [K in keyof typeof LANE_FIELDS]: ReturnType<(typeof LANE_FIELDS)[K]["rule"]["read"]> | undefined;
};

/** What the options come to. Throws DefinitionError MR_BAD_OPTION for options that do not go together. */
export function lanesOf(
  { orderBy, partitions, onKeyFailure, priority }: LaneValues,
  subject: string,
): { order?: OrderPolicy; functions: Pick<NodeDefinition, "orderBy" | "priority"> } {
  if (orderBy === undefined) {
    const idle = Object.entries({ partitions, onKeyFailure }).find(([, value]) => value !== undefined);
    if (idle !== undefined) {
      throw new DefinitionError(
        "MR_BAD_OPTION",
        `${subject}: ${idle[0]} is ${JSON.stringify(idle[1])}, but there is no orderBy that it could go by; add orderBy, or leave it out`,
      );
    }
    return { functions: { ...(priority !== undefined && { priority }) } };
  }
  if (priority !== undefined) {
    throw new DefinitionError(
      "MR_BAD_OPTION",
      `${subject}: it has both orderBy and priority, and an item that overtakes others breaks their order; leave one of them out`,
    );
  }
  return {
    order: { partitions: partitions ?? PARTITIONS, onKeyFailure: onKeyFailure ?? "hold" },
    functions: { orderBy },
  };
}
