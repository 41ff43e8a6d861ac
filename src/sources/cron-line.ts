import { createRequire } from "node:module";
import type { Cron } from "croner";
import { DefinitionError, describeValue, ensureError } from "../errors.ts";
import type { Schedule } from "./schedule.ts";

/** A clock that goes back by more was wrong before: it is believed again at once. */
const SET_BACK_MS = 24 * 60 * 60 * 1_000;

/** The times that a cron line names, in a time zone. */
export class CronLine implements Schedule {
  readonly #cron: Cron;

  /** Throws DefinitionError MR_BAD_OPTION. */
  constructor(line: unknown, timeZone: string | undefined) {
    const subject = `cron(${describeValue(line)})`;
    if (typeof line !== "string" || line.trim() === "")
      throw refusal(subject, "a line of five or six fields is needed");
    checkTimeZone(subject, timeZone);
    try {
      this.#cron = newCron(line.trim(), timeZone);
    } catch (thrown) {
      throw refusal(subject, ensureError(thrown).message.replace(/^Cron\w+: |\.$/g, ""));
    }
    if (this.next(0) === undefined) throw refusal(subject, "that time never comes");
  }

  next(time: number): number | undefined {
    return this.#cron.nextRun(new Date(time))?.getTime();
  }

  latest(first: number, time: number): number {
    // What it gives lies before its reference.
    return Math.max(first, this.#cron.previousRuns(1, new Date(time + 1))[0]?.getTime() ?? first);
  }

  /** A time of day that comes a second time is not given again. */
  afterSetBack(last: number, now: number): number {
    return last - now > SET_BACK_MS ? now : last;
  }
}

/** n.b. required when there is a cron line, and at once: a definition tells of its mistakes when it is made. */
function newCron(line: string, timeZone: string | undefined): Cron {
  const croner = createRequire(import.meta.url)("croner") as typeof import("croner");
  return new croner.Cron(line, { paused: true, ...(timeZone === undefined ? {} : { timezone: timeZone }) });
}

function checkTimeZone(subject: string, timeZone: string | undefined): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw new DefinitionError(
      "MR_BAD_OPTION",
      `${subject}: timeZone must be a name such as "Europe/Berlin" or "UTC", got ${describeValue(timeZone)}; correct it`,
    );
  }
}

function refusal(subject: string, reason: string): DefinitionError {
  return new DefinitionError(
    "MR_BAD_OPTION",
    `${subject}: it is not a cron line: ${reason}; give minute, hour, day of month, month and day of week, as in "0 3 * * *"`,
  );
}
