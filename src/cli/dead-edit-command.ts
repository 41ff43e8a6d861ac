import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { EditProcess } from "../bundle/edit-process.ts";
import type { DeadLetterFilter } from "../definition/dead-letter.ts";
import type { Env } from "../env/env.ts";
import { ensureError, UsageError } from "../errors.ts";
import { type EditStep, frameWith } from "../run/dead-letters.ts";
import type { OpenedLetters } from "../run/open-letters.ts";
import { packValue } from "../wire/packing.ts";
import { moduleOf } from "./dead-module.ts";
import { type ChoiceFlags, choiceOf, choiceOptions, lettersOf, withLetters } from "./dead-target.ts";
import { editText } from "./edit-text.ts";
import { exactJson, fromExactJson } from "./exact-json.ts";
import { EXIT } from "./exit-code.ts";
import { grouped, print, tell } from "./terminal.ts";

interface EditFlags extends ChoiceFlags {
  readonly set?: string;
  readonly file?: string;
  readonly with?: string;
  readonly module?: string;
  readonly json?: boolean;
}

export function addDeadEditCommand(dead: Command, env: Env, onExit: (code: number) => void): void {
  choiceOptions(dead.command("edit"))
    .description(
      "put other items in the place of dead ones; without a flag for it, the item is opened in $EDITOR",
    )
    .option("--set <JSON>", "the item, as `dead show --exact` writes items")
    .option("--file <FILE>", "a file with the item; - is standard input")
    .option("--with <MODULE[#EXPORT]>", "a module whose function (item, letter) => item makes the item")
    .option("--module <MODULE[#EXPORT]>", "where the pipeline lies now, for the schema of the stage")
    .option("--json", 'print { "edited": number }')
    .action(async (target: string, ids: string[], flags: EditFlags) =>
      onExit(await deadEdit(env, target, ids, flags)),
    );
}

async function deadEdit(env: Env, target: string, ids: readonly string[], flags: EditFlags): Promise<number> {
  const choice = choiceOf(target, ids, flags);
  const { set, file, with: editor } = flags;
  if ([set, file, editor].filter((flag) => flag !== undefined).length > 1)
    throw new UsageError("MR_USAGE", "--set, --file and --with exclude each other");
  return await withLetters(env, target, flags, async (opened) => {
    const found = await lettersOf(opened, target, ids);
    let given: string | undefined = set;
    if (file !== undefined) given = readFileSync(file === "-" ? 0 : file, "utf8");
    if (given === undefined && editor === undefined) {
      const [letter] = found;
      if (letter === undefined || found.length > 1)
        throw new UsageError(
          "MR_USAGE",
          `${target}: an editor takes one letter; for several say --set, --file or --with`,
        );
      if (letter.raw !== undefined)
        throw new UsageError(
          "MR_USAGE",
          `dead letter ${letter.id}: its bytes cannot be decoded; say the item with --set or --file`,
        );
      given = await editText(`${JSON.stringify(exactJson(letter.item), undefined, 2)}\n`);
      if (given === undefined) {
        tell("nothing was changed");
        return EXIT.done;
      }
    }
    return await edit(env, opened, choice, given === undefined ? undefined : itemIn(given), flags);
  });
}

async function edit(
  env: Env,
  { found, letters }: OpenedLetters,
  choice: DeadLetterFilter,
  given: { readonly item: unknown } | undefined,
  flags: EditFlags,
): Promise<number> {
  const { manifest, store } = found;
  const hasSchema = manifest.shape.nodes.some(
    ({ name, settings }) =>
      settings.hasSchema === true && (choice.stage === undefined || choice.stage === name),
  );
  const child =
    given === undefined || hasSchema
      ? await EditProcess.open(env, {
          outDirectory: store.bundles,
          ...(given === undefined && flags.with !== undefined ? { editor: flags.with } : {}),
          ...(hasSchema ? { pipeline: moduleOf(manifest, flags.module) } : {}),
          onOutput: (_stream, line) => tell(line),
        })
      : undefined;
  const step: EditStep = async (page) => {
    const stage = page[0]?.letter.stage as string;
    if (given === undefined)
      return (
        (await child?.edit(
          stage,
          page.map(({ record }) => record),
        )) ?? []
      );
    const frames = page.map(({ stored }) => frameWith(stored, given.item));
    await child?.edit(
      stage,
      page.map(({ stored }, i) => packValue({ ...stored, frame: frames[i] })),
    );
    return frames;
  };
  try {
    const { edited, changed, skipped } = await letters.editWith(choice, step, child?.hash);
    if (flags.json === true) await print(`${JSON.stringify({ edited })}\n`);
    else
      await print(
        `${grouped(edited)} dead ${edited === 1 ? "letter" : "letters"} of run ${manifest.run} edited\n`,
      );
    if (skipped > 0) tell(`${grouped(skipped)} were left as they are, or had been edited like this before`);
    for (const id of changed)
      tell(`warn dead letter ${id}: somebody else was at it meanwhile; it was not edited`);
    return changed.length === 0 ? EXIT.done : EXIT.partly;
  } finally {
    child?.close();
  }
}

function itemIn(text: string): { item: unknown } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(
      "MR_USAGE",
      `item: it is not JSON (${ensureError(cause).message}); nothing was edited`,
      { cause },
    );
  }
  const item = fromExactJson(json);
  if (item === undefined)
    throw new UsageError(
      "MR_USAGE",
      "item: undefined is no item; to be rid of a letter, use millrace dead drop",
    );
  return { item };
}
