import type { Command } from "commander";
import type { DeadLetter, DeadLetterFilter } from "../definition/dead-letter.ts";
import { parseDuration } from "../definition/duration.ts";
import type { Env } from "../env/env.ts";
import { RunError, UsageError } from "../errors.ts";
import { type OpenedLetters, openLetters } from "../run/open-letters.ts";
import { dataOf } from "./data-flag.ts";
import { printable, tell } from "./terminal.ts";

/** The flags that all commands about dead letters have. */
export interface TargetFlags {
  readonly run?: string;
  readonly data?: string;
}

/** The flags that say which letters are meant. */
export interface ChoiceFlags extends TargetFlags {
  readonly all?: boolean;
  readonly id?: readonly string[];
  readonly error?: string;
  readonly reason?: string;
  readonly since?: string;
  readonly limit?: string;
}

const REASONS = ["error", "timeout", "killed", "not-decodable"] as const satisfies DeadLetter["reason"][];

export function targetOptions(command: Command): Command {
  return command
    .argument("<PIPELINE[/STAGE]>", "of which pipeline, or of which stage of it")
    .option("--run <RUN>", "of that run (default: the pipeline's newest)")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)");
}

export function filterOptions(command: Command): Command {
  return command
    .option("--error <TEXT>", "only those whose last error has this text in its name or message")
    .option("--reason <REASON>", `only those that died of: ${REASONS.join(", ")}`)
    .option("--since <DURATION>", 'only those that died within this time: "90s", "5m", "2h"')
    .option("--limit <N>", "at most so many");
}

/** Ids, or `--all` and what narrows it. */
export function choiceOptions(command: Command): Command {
  const withIds = targetOptions(command).argument("[ID...]", "as `dead list` shows them");
  return filterOptions(withIds.option("--all", "all of them, or all that the filters let through"));
}

/** The filter that flags and ids come to. Throws UsageError. */
export function filterOf(target: string, ids: readonly string[], flags: ChoiceFlags): DeadLetterFilter {
  const { stage } = partsOf(target);
  const { error, reason, since } = flags;
  const limit = flags.limit === undefined ? undefined : Number(flags.limit);
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    throw new UsageError("MR_USAGE", `--limit ${flags.limit}: write a whole number of at least 1`);
  if (reason !== undefined && !REASONS.some((known) => known === reason))
    throw new UsageError("MR_USAGE", `--reason ${reason}: there are ${REASONS.join(", ")}`);
  if (since !== undefined && parseDuration(since) === undefined)
    throw new UsageError("MR_USAGE", `--since ${since}: write a time such as 90s, 5m or 2h`);
  return {
    ...(stage === undefined ? {} : { stage }),
    ...(ids.length === 0 ? {} : { ids }),
    ...(error === undefined ? {} : { error }),
    ...(reason === undefined ? {} : { reason: reason as DeadLetter["reason"] }),
    ...(since === undefined ? {} : { since: since as NonNullable<DeadLetterFilter["since"]> }),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** As {@link filterOf}; exactly one of ids and `--all` must be given. */
export function choiceOf(target: string, ids: readonly string[], flags: ChoiceFlags): DeadLetterFilter {
  if (ids.length === 0 && flags.all !== true)
    throw new UsageError(
      "MR_USAGE",
      `${target}: name ids as \`millrace dead list\` shows them, or say --all`,
    );
  if (ids.length > 0 && flags.all === true)
    throw new UsageError("MR_USAGE", `${target}: ids and --all exclude each other`);
  return filterOf(target, ids, flags);
}

/** Opens the dead letters that a target names, for as long as `use` takes. */
export async function withLetters<Value>(
  env: Env,
  target: string,
  flags: TargetFlags,
  use: (opened: OpenedLetters) => Promise<Value>,
): Promise<Value> {
  const { run } = flags;
  const query = { data: dataOf(flags.data), ...partsOf(target), ...(run === undefined ? {} : { run }) };
  const opened = await openLetters(env, query, (why) =>
    tell(`${printable(why)}; waiting for the run's end, to re-open it then`),
  );
  try {
    for (const damage of opened.records.damage) tell(`warn ${printable(damage)}`);
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** The letters of these ids. Throws RunError MR_DEAD_LETTER_UNKNOWN when there is none of one of them. */
export async function lettersOf(
  { letters, found }: OpenedLetters,
  target: string,
  ids: readonly string[],
): Promise<DeadLetter[]> {
  const { stage } = partsOf(target);
  const all: DeadLetter[] = [];
  for (const id of new Set(ids)) {
    const ofId = (await letters.get(id)).filter((letter) => stage === undefined || letter.stage === stage);
    if (ofId.length === 0) {
      throw new RunError(
        "MR_DEAD_LETTER_UNKNOWN",
        `dead letter ${JSON.stringify(id)}: run ${found.manifest.run} of ${target} has none with this id`,
      );
    }
    all.push(...ofId);
  }
  return all;
}

export function partsOf(target: string): { pipeline: string; stage?: string } {
  const [, pipeline, stage] = /^([A-Za-z0-9][\w.-]*)(?:\/([A-Za-z0-9][\w.-]*))?$/.exec(target) ?? [];
  if (pipeline === undefined)
    throw new UsageError("MR_USAGE", `${JSON.stringify(target)}: write PIPELINE or PIPELINE/STAGE`);
  return { pipeline, ...(stage === undefined ? {} : { stage }) };
}
