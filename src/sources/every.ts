import type { Context } from "../definition/context.ts";
import { type Duration, parseDuration } from "../definition/duration.ts";
import { flag, oneOf } from "../definition/option-rules.ts";
import { group, readOptions, standard } from "../definition/rule.ts";
import { sourceEnv } from "../definition/source-env.ts";
import { DefinitionError, describeValue } from "../errors.ts";
import type { ReadySource } from "./file-source.ts";
import { Interval } from "./schedule.ts";
import { type Missed, type Tick, ticks } from "./ticks.ts";

export interface EveryOptions {
  /** Whether the first tick of a run comes at once. Default false: it comes after the first interval. */
  readonly immediately?: boolean;
  /** What becomes of ticks whose time passed while the run was down. Default `"once"`: one for all of them. */
  readonly missed?: Missed;
}

export const MISSED = standard(
  oneOf("once", "skip", "all"),
  "once",
  "What becomes of ticks whose time passed while nobody waited for them.",
);

const OPTIONS = group({
  immediately: standard(flag, false, "Whether the first tick of a run comes at once."),
  missed: MISSED,
});

/**
 * A source of a tick every so often, until it is stopped: `every("5m")`. When the run is resumed it goes on from the
 * last tick.
 *
 * @param interval milliseconds or a text like `"200ms"`, `"30s"`, `"5m"`, `"7d"`; at least 1 ms.
 * @throws DefinitionError MR_BAD_OPTION.
 */
export function every(interval: Duration, options?: EveryOptions): ReadySource<Tick> {
  const subject = `every(${describeValue(interval)})`;
  const ms = parseDuration(interval);
  if (ms === undefined || ms < 1) {
    throw new DefinitionError(
      "MR_BAD_OPTION",
      `${subject}: its interval must be milliseconds or a text like "200ms", "30s" or "5m", at least 1 ms, got ${describeValue(interval)}; give it such a value`,
    );
  }
  const settings = { ...readOptions(OPTIONS, options, subject), schedule: new Interval(ms) };
  return async (ctx) => {
    const env = sourceEnv(ctx, subject);
    return ticks(env, ctx as Context, settings);
  };
}
