import type { Duration } from "./duration.ts";
import type { Priority } from "./priority.ts";

/** Marks what {@link push} gives; a registered symbol, so that it is the same in every copy of the package. */
export const PUSH: unique symbol = Symbol.for("millrace.push") as never;

/** What `p.source(name, push<Item>())` takes: a source that waits for items from outside. */
export interface Push<Item> {
  readonly run: (ctx: unknown) => AsyncIterable<Item>;
  readonly [PUSH]: true;
}

/** How pushed items are stored; the same for all items of one push. */
export interface PushOptions {
  /** `ctx.item.key` of the stages that the source leads to. At most 256 characters. */
  readonly key?: string;
  /** The items are given to the pipeline after this much time; it goes on over a restart. Default 0. */
  readonly delayMs?: Duration;
  /** The lane of the items in the stages that the source leads to. Default `"normal"`. */
  readonly priority?: Priority;
  /** What `dedupe` compares, in place of the item's id. At most 256 characters. */
  readonly dedupeKey?: string;
}

/** Called with an item, as a stage's function is: what was pushed goes along the source's edges as it is. */
export const passItem: (item: unknown) => unknown = Object.assign((item: unknown) => item, {
  [PUSH]: true as const,
});

/** Whether a node's function is {@link passItem}, of whatever copy of the package. */
export function isPassItem(run: unknown): boolean {
  return typeof run === "function" && PUSH in run;
}

/**
 * A source whose items come from outside: `handle.push("feed", items)` in a program, `millrace push` on the command
 * line. Its pipeline runs until the source is closed (`handle.close("feed")`, `millrace push … --close`) and all is
 * done, or until it is stopped.
 */
export function push<Item>(): Push<Item> {
  return {
    run: passItem as never,
    [PUSH]: true,
  };
}

/** Whether the second argument of `.source()` is a {@link Push}. */
export function isPush(work: unknown): boolean {
  return typeof work === "object" && work !== null && PUSH in work;
}
