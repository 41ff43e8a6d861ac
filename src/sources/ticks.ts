import type { Context } from "../definition/context.ts";
import type { Env } from "../env/env.ts";
import type { Schedule } from "./schedule.ts";

/** What `every` and `cron` give. */
export interface Tick {
  /** When it was due, milliseconds since 1970. */
  readonly at: number;
  /** Its number in this run, from 1. */
  readonly n: number;
}

/**
 * What becomes of ticks whose time passed while nobody waited for them - the run was down, the machine slept, the
 * streams were full: one tick for all of them, with the time of the last; none; or each.
 */
export type Missed = "once" | "skip" | "all";

export interface TickSettings {
  readonly schedule: Schedule;
  readonly missed: Missed;
  /** Whether the first tick of a run comes at once. */
  readonly immediately: boolean;
}

/** A clock may be set, or the machine sleep, while we wait: so long at most goes by without a look. */
const LOOK_MS = 60_000;
/** A tick that comes so late was not missed. */
const LATE_MS = 1_000;

/** Gives the ticks of a schedule until it is stopped; its token is the last of them. */
export async function* ticks(
  env: Env,
  ctx: Context,
  { schedule, missed, immediately }: TickSettings,
): AsyncGenerator<Tick, void, undefined> {
  let { at: last, n } = (ctx.resume as Tick | undefined) ?? { at: env.clock.now(), n: 0 };
  if (ctx.resume === undefined) {
    if (immediately) yield { at: last, n: ++n };
    ctx.checkpoint({ at: last, n });
  }
  while (!ctx.signal.aborted) {
    const now = env.clock.now();
    if (last > now) last = schedule.afterSetBack(last, now);
    const first = schedule.next(last);
    if (first === undefined) return;
    if (first > now) {
      await pause(env, ctx.signal, Math.min(first - now, LOOK_MS));
      continue;
    }
    const at = missed === "all" ? first : schedule.latest(first, now);
    last = at;
    if (missed !== "skip" || now - at <= LATE_MS) yield { at, n: ++n };
    ctx.checkpoint({ at, n });
  }
}

/** Waits; a stop ends it, and leaves no timer behind. */
function pause(env: Env, signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = env.timers.after(ms, end);
    signal.addEventListener("abort", end);
  });
}
