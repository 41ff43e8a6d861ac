import type { DeadLetter, DeadLetterChoice, DeadLetterFilter } from "../definition/dead-letter.ts";
import { parseDuration } from "../definition/duration.ts";
import { describeValue, UsageError } from "../errors.ts";

/** The filter that a choice comes to; `stages` are those of the run. Throws UsageError MR_USAGE for what is none. */
export function filterOf(choice: DeadLetterChoice, stages: readonly string[] = []): DeadLetterFilter {
  if (typeof choice === "string") return stages.includes(choice) ? { stage: choice } : { ids: [choice] };
  if (Array.isArray(choice)) return { ids: choice as readonly string[] };
  if (typeof choice !== "object" || choice === null) {
    throw new UsageError(
      "MR_USAGE",
      `dead letters ${describeValue(choice)}: name ids, or give a filter; {} is all of them`,
    );
  }
  return choice as DeadLetterFilter;
}

/** True when a filter can be answered from ids and stages alone. */
export function isByKey({ error, reason, since }: DeadLetterFilter): boolean {
  return error === undefined && reason === undefined && since === undefined;
}

/** Whether a letter's contents are as a filter asks; `now` is the wall clock. Throws UsageError MR_USAGE. */
export function matches(letter: DeadLetter, filter: DeadLetterFilter, now: number): boolean {
  const { error, reason, since } = filter;
  if (reason !== undefined && letter.reason !== reason) return false;
  if (since !== undefined && letter.deadAt < now - sinceMs(since)) return false;
  if (error === undefined) return true;
  const last = letter.attempts.at(-1)?.error;
  return `${last?.name}: ${last?.message}`.toLowerCase().includes(error.toLowerCase());
}

function sinceMs(since: NonNullable<DeadLetterFilter["since"]>): number {
  const ms = parseDuration(since);
  if (ms === undefined)
    throw new UsageError(
      "MR_USAGE",
      `since ${describeValue(since)}: write milliseconds, or "90s", "5m", "2h"`,
    );
  return ms;
}
