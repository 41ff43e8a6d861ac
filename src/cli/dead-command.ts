import type { Command } from "commander";
import type { DeadLetter, DeadLetterFilter } from "../definition/dead-letter.ts";
import type { Env } from "../env/env.ts";
import type { OpenedLetters } from "../run/open-letters.ts";
import { dataFlag } from "./data-flag.ts";
import { addDeadDropCommand } from "./dead-drop-command.ts";
import { addDeadEditCommand } from "./dead-edit-command.ts";
import { addDeadExportCommand } from "./dead-export-command.ts";
import { describeLetter, letterAsJson, linesOf, NewestRows } from "./dead-letter-text.ts";
import { addDeadReplayCommand } from "./dead-replay-command.ts";
import {
  type ChoiceFlags,
  choiceOf,
  choiceOptions,
  filterOf,
  filterOptions,
  lettersOf,
  targetOptions,
  withLetters,
} from "./dead-target.ts";
import { EXIT } from "./exit-code.ts";
import { grouped, print, tell } from "./terminal.ts";

interface ListFlags extends ChoiceFlags {
  readonly json?: boolean;
  readonly exact?: boolean;
}

/** Rows of a table; a list of more is for `--json`. */
const MAX_ROWS = 10_000;

/** Adds `millrace dead …`; `onExit` is told the exit code of the command that ran. */
export function addDeadCommand(
  program: Command,
  env: Env,
  version: string,
  onExit: (code: number) => void,
): void {
  const dead = program
    .command("dead")
    .description("list, show, repair and replay items that used up their attempts");
  filterOptions(targetOptions(dead.command("list")))
    .description("list the dead letters of a run")
    .option("--id <ID...>", "only these")
    .option("--json", "print one JSON array of whole letters, ordered by stage and id, instead of a table")
    .option("--exact", "with --json: items as `dead edit` takes them, no type lost")
    .action(async (target: string, flags: ListFlags) => onExit(await deadList(env, target, flags)));
  choiceOptions(dead.command("show"))
    .description("show dead letters with their items, errors and stacks")
    .option("--json", "print the letter as JSON; several as an array")
    .option("--exact", "items as `dead edit` takes them, no type lost")
    .action(async (target: string, ids: string[], flags: ListFlags) =>
      onExit(await deadShow(env, target, ids, flags)),
    );
  addDeadEditCommand(dead, env, onExit);
  addDeadReplayCommand(dead, env, version, onExit);
  addDeadDropCommand(dead, env, onExit);
  addDeadExportCommand(dead, env, onExit);
}

/** Lists them; gives the exit code. */
export async function deadList(env: Env, target: string, flags: ListFlags): Promise<number> {
  return await withLetters(env, target, flags, async (opened) => {
    const damaged = await opened.letters.countDamaged();
    if (damaged > 0) tell(`warn ${grouped(damaged)} dead letters were damaged on disk and are not shown`);
    if (flags.json === true) await printArray(opened, filterOf(target, flags.id ?? [], flags), flags);
    else await printTable(opened, target, flags);
    return EXIT.done;
  });
}

/** Shows them; gives the exit code. */
export async function deadShow(
  env: Env,
  target: string,
  ids: readonly string[],
  flags: ListFlags,
): Promise<number> {
  const choice = choiceOf(target, ids, flags);
  return await withLetters(env, target, flags, async (opened) => {
    if (flags.all === true && flags.json === true) await printArray(opened, choice, flags);
    else if (flags.all === true) {
      for await (const letter of opened.letters.list(choice))
        if (!(await print(`${describeLetter(letter, flags.exact)}\n`))) break;
    } else await showThese(await lettersOf(opened, target, ids), flags);
    return EXIT.done;
  });
}

async function showThese(found: readonly DeadLetter[], { json, exact }: ListFlags): Promise<void> {
  if (json === true) {
    const shown = found.map((letter) => letterAsJson(letter, exact));
    await print(`${JSON.stringify(shown.length === 1 ? shown[0] : shown, undefined, 2)}\n`);
  } else for (const letter of found) await print(`${describeLetter(letter, exact)}\n`);
}

async function printArray(
  { letters }: OpenedLetters,
  choice: DeadLetterFilter,
  flags: ListFlags,
): Promise<void> {
  let before = "[";
  for await (const letter of letters.list(choice)) {
    if (!(await print(`${before}\n${JSON.stringify(letterAsJson(letter, flags.exact))}`))) return;
    before = ",";
  }
  await print(before === "[" ? "[]\n" : "\n]\n");
}

async function printTable(opened: OpenedLetters, target: string, flags: ListFlags): Promise<void> {
  const { run, status } = opened.found.manifest;
  const { limit = MAX_ROWS, ...filter } = filterOf(target, flags.id ?? [], flags);
  const rows = new NewestRows(limit);
  for await (const letter of opened.letters.list(filter)) rows.add(letter);
  if (rows.seen === 0) {
    await print(`${target} has no dead letters in run ${run}${status === "completed" ? "" : " so far"}\n`);
    return;
  }
  for (const line of linesOf(rows.newest())) if (!(await print(`${line}\n`))) return;
  if (rows.seen > limit)
    tell(`${grouped(rows.seen - limit)} older ones are not shown: see --limit and --json`);
  tell(
    `${grouped(rows.seen)} dead ${rows.seen === 1 ? "letter" : "letters"} in run ${run}; see one: millrace dead show ${target} ID --run ${run}${dataFlag(flags.data)}`,
  );
}
