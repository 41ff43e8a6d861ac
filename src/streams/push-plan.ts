import { duration, oneOf } from "../definition/option-rules.ts";
import { PRIORITIES } from "../definition/priority.ts";
import type { PushOptions } from "../definition/push.ts";
import { group, optional, readOptions, rule, standard } from "../definition/rule.ts";
import type { ItemMeta } from "../wire/frame.ts";
import { PRIORITY_LANES } from "./lanes.ts";
import type { PushPlan } from "./push-frames.ts";

const MAX_KEY = 256;

const name = rule(`a text of 1 to ${MAX_KEY} characters`, (value) =>
  typeof value === "string" && value !== "" && value.length <= MAX_KEY ? value : undefined,
);

const OPTIONS = group({
  key: optional(name, "ctx.item.key of the stages that the source leads to."),
  delayMs: standard(duration(0), 0, "The items are given to the pipeline after this much time."),
  priority: optional(oneOf(...PRIORITIES), "The lane of the items."),
  dedupeKey: optional(name, "What dedupe compares, in place of the item's id."),
});

const AT_ONCE: PushPlan = { delayMs: 0, lane: 0, meta: undefined };

/** How items that are pushed with these options are stored. Throws DefinitionError MR_BAD_OPTION. */
export function pushPlanOf(options: PushOptions | undefined, source: string): PushPlan {
  if (options === undefined) return AT_ONCE;
  const { key, delayMs, priority, dedupeKey } = readOptions(OPTIONS, options, `push to ${source}`);
  const meta: ItemMeta = {
    ...(key === undefined ? {} : { key }),
    ...(priority === undefined || priority === "normal" ? {} : { priority }),
    ...(dedupeKey === undefined ? {} : { dedupeKey }),
  };
  const lane = PRIORITY_LANES[priority ?? "normal"];
  return { delayMs, lane, meta: Object.keys(meta).length === 0 ? undefined : meta };
}
