import type { Context } from "../definition/context.ts";
import { group, optional, readOptions, rule } from "../definition/rule.ts";
import { sourceEnv } from "../definition/source-env.ts";
import { describeValue } from "../errors.ts";
import { CronLine } from "./cron-line.ts";
import { MISSED } from "./every.ts";
import type { ReadySource } from "./file-source.ts";
import { type Missed, type Tick, ticks } from "./ticks.ts";

export interface CronOptions {
  /** A name such as `"Europe/Berlin"`. Default: that of the machine. */
  readonly timeZone?: string;
  /** What becomes of ticks whose time passed while the run was down. Default `"once"`: one for all of them. */
  readonly missed?: Missed;
}

const text = rule('a text like "Europe/Berlin"', (value) => (typeof value === "string" ? value : undefined));

const OPTIONS = group({ timeZone: optional(text, "Where the times of day are those."), missed: MISSED });

/**
 * A source of a tick at the times that a cron line names, until it is stopped: `cron("0 3 * * *", { timeZone: "UTC" })`.
 * When the run is resumed it goes on from the last tick.
 *
 * @param line minute, hour, day of month, month, day of week; with six fields the first is the second.
 * @throws DefinitionError MR_BAD_OPTION for a line or a time zone that is none, and for times that never come.
 */
export function cron(line: string, options?: CronOptions): ReadySource<Tick> {
  const subject = `cron(${describeValue(line)})`;
  const { timeZone, missed } = readOptions(OPTIONS, options, subject);
  const settings = { schedule: new CronLine(line, timeZone), missed, immediately: false };
  return async (ctx) => {
    const env = sourceEnv(ctx, subject);
    return ticks(env, ctx as Context, settings);
  };
}
