import { isPriority, type Priority } from "../definition/priority.ts";
import { describeValue, StageError } from "../errors.ts";
import { PRIORITY_LANES, partitionOf } from "../streams/lanes.ts";
import type { ItemMeta } from "../wire/frame.ts";
import type { Target } from "./edges.ts";
import { userKey } from "./user-key.ts";

/** Characters of a key: it travels with each of its items. */
const MAX_KEY = 1_024;

/** What was said of an item when it was given, beside the item: it goes before what the target's functions find. */
export interface Said {
  readonly key?: string;
  readonly priority?: Priority;
  readonly dedupeKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Which lane of its target an item goes to, and what goes with it. */
export interface Placement {
  readonly lane: number;
  readonly meta: ItemMeta | undefined;
}

/** Whether an item's placement depends on the item. */
export function needsPlacement(target: Target): boolean {
  return target.order !== undefined || target.priority !== undefined || target.dedupeBy !== undefined;
}

/** Throws what the user's functions throw, StageError MR_BAD_RETURN for what they must not give back. */
export function placementOf(target: Target, item: unknown, said: Said = {}): Placement {
  const key = said.key ?? keyOf(target, item);
  const { stream, dedupeBy } = target;
  const dedupeKey = said.dedupeKey ?? (dedupeBy && userKey(`stage ${stream}: its dedupe.by`, dedupeBy(item)));
  const meta = {
    ...(key !== undefined && { key }),
    ...(dedupeKey !== undefined && { dedupeKey }),
    ...(said.headers && { headers: said.headers }),
  };
  const lane =
    target.order === undefined
      ? PRIORITY_LANES[said.priority ?? priorityOf(target, item)]
      : partitionOf(key as string, target.order.partitions);
  return { lane, meta: Object.keys(meta).length === 0 ? undefined : meta };
}

function keyOf({ stream, order }: Target, item: unknown): string | undefined {
  if (order === undefined) return undefined;
  const key = order.by(item);
  if (typeof key !== "string") throw badReturn(stream, "orderBy", key, "give back a text, at once");
  if (key.length > MAX_KEY)
    throw badReturn(
      stream,
      "orderBy",
      key,
      `a key has at most ${MAX_KEY} characters, this one ${key.length}`,
    );
  return key;
}

function priorityOf({ stream, priority }: Target, item: unknown): Priority {
  if (typeof priority !== "function") return priority ?? "normal";
  const given = priority(item);
  if (!isPriority(given))
    throw badReturn(stream, "priority", given, 'give back "high", "normal" or "low", at once');
  return given;
}

function badReturn(stage: string, option: string, value: unknown, advice: string): StageError {
  if (value instanceof Promise) value.catch(() => undefined);
  const what = value instanceof Promise ? "a promise" : describeValue(value);
  return new StageError("MR_BAD_RETURN", `stage ${stage}: its ${option} gave back ${what}; ${advice}`, {
    scope: "item",
  });
}
