import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { RunError, UsageError } from "../errors.ts";
import { type DeadLetter, DeadLetters } from "../run/dead-letters.ts";
import { dataOf } from "./data-flag.ts";
import { describeLetter, type LetterRow, letterAsJson, linesOf, rowOf } from "./dead-letter-text.ts";
import { EXIT } from "./exit-code.ts";
import { grouped, print, printable, tell } from "./terminal.ts";

interface DeadFlags {
  readonly run?: string;
  readonly data?: string;
  readonly json?: boolean;
}

/** Adds `millrace dead …`; `onExit` is told the exit code of the command that ran. */
export function addDeadCommand(program: Command, env: Env, onExit: (code: number) => void): void {
  const dead = program.command("dead").description("list and show items that used up their attempts");
  dead
    .command("list")
    .description("list the dead letters of a run")
    .argument("<PIPELINE[/STAGE]>", "of which pipeline, or of which stage of it")
    .option("--run <RUN>", "of that run (default: the pipeline's newest)")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)")
    .option("--json", "print one JSON array of whole letters, ordered by stage and id, instead of a table")
    .action(async (target: string, flags: DeadFlags) => onExit(await deadList(env, target, flags)));
  dead
    .command("show")
    .description("show dead letters with their items, errors and stacks")
    .argument("<PIPELINE[/STAGE]>", "of which pipeline, or of which stage of it")
    .argument("<ID...>", "as `dead list` shows them")
    .option("--run <RUN>", "of that run (default: the pipeline's newest)")
    .option("--data <DIR>", "where runs are kept (default .millrace, or MILLRACE_DATA)")
    .option("--json", "print the letter as JSON; several as an array")
    .action(async (target: string, ids: string[], flags: DeadFlags) =>
      onExit(await deadShow(env, target, ids, flags)),
    );
}

/** Lists them; gives the exit code. */
export async function deadList(env: Env, target: string, flags: DeadFlags): Promise<number> {
  return await withLetters(env, target, flags, async (letters) => {
    const damaged = await letters.countDamaged();
    if (damaged > 0) tell(`warn ${grouped(damaged)} dead letters were damaged on disk and are not shown`);
    if (flags.json === true) await printArray(letters);
    else await printTable(letters, target);
    return EXIT.done;
  });
}

/** Shows them; gives the exit code. */
export async function deadShow(
  env: Env,
  target: string,
  ids: readonly string[],
  flags: DeadFlags,
): Promise<number> {
  return await withLetters(env, target, flags, async (letters) => {
    const found: DeadLetter[] = [];
    for (const id of new Set(ids)) {
      const ofId = await letters.get(id);
      if (ofId.length === 0) {
        throw new RunError(
          "MR_DEAD_LETTER_UNKNOWN",
          `dead letter ${JSON.stringify(id)}: run ${letters.manifest.run} of ${target} has none with this id`,
        );
      }
      found.push(...ofId);
    }
    if (flags.json === true) {
      const shown = found.map(letterAsJson);
      await print(`${JSON.stringify(shown.length === 1 ? shown[0] : shown, undefined, 2)}\n`);
    } else for (const letter of found) await print(`${describeLetter(letter)}\n`);
    return EXIT.done;
  });
}

async function withLetters(
  env: Env,
  target: string,
  flags: DeadFlags,
  use: (letters: DeadLetters) => Promise<number>,
): Promise<number> {
  const { run } = flags;
  const letters = await DeadLetters.open(env, {
    data: dataOf(flags.data),
    ...partsOf(target),
    ...(run === undefined ? {} : { run }),
  });
  try {
    for (const damage of letters.damage) tell(`warn ${printable(damage)}`);
    return await use(letters);
  } finally {
    await letters.close();
  }
}

function partsOf(target: string): { pipeline: string; stage?: string } {
  const [, pipeline, stage] = /^([A-Za-z0-9][\w.-]*)(?:\/([A-Za-z0-9][\w.-]*))?$/.exec(target) ?? [];
  if (pipeline === undefined)
    throw new UsageError("MR_USAGE", `${JSON.stringify(target)}: write PIPELINE or PIPELINE/STAGE`);
  return { pipeline, ...(stage === undefined ? {} : { stage }) };
}

async function printArray(letters: DeadLetters): Promise<void> {
  let before = "[";
  for await (const letter of letters) {
    if (!(await print(`${before}\n${JSON.stringify(letterAsJson(letter))}`))) return;
    before = ",";
  }
  await print(before === "[" ? "[]\n" : "\n]\n");
}

async function printTable(letters: DeadLetters, target: string): Promise<void> {
  const { run, status } = letters.manifest;
  const rows: LetterRow[] = [];
  for await (const letter of letters) rows.push(rowOf(letter));
  if (rows.length === 0) {
    await print(`${target} has no dead letters in run ${run}${status === "completed" ? "" : " so far"}\n`);
    return;
  }
  for (const line of linesOf(rows)) if (!(await print(`${line}\n`))) return;
  tell(
    `${grouped(rows.length)} dead ${rows.length === 1 ? "letter" : "letters"} in run ${run}; see one: millrace dead show ${target} ID --run ${run}`,
  );
}
