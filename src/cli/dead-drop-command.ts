import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { type ChoiceFlags, choiceOf, choiceOptions, lettersOf, withLetters } from "./dead-target.ts";
import { EXIT } from "./exit-code.ts";
import { grouped, print } from "./terminal.ts";

interface DropFlags extends ChoiceFlags {
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function addDeadDropCommand(dead: Command, env: Env, onExit: (code: number) => void): void {
  choiceOptions(dead.command("drop"))
    .description("remove dead letters for good")
    .option("--yes", "with --all on a terminal: yes, all of them")
    .option("--json", 'print { "dropped": number }')
    .action(async (target: string, ids: string[], flags: DropFlags) =>
      onExit(await deadDrop(env, target, ids, flags)),
    );
}

async function deadDrop(env: Env, target: string, ids: readonly string[], flags: DropFlags): Promise<number> {
  const choice = choiceOf(target, ids, flags);
  if (flags.all === true && flags.yes !== true && process.stdin.isTTY === true)
    throw new UsageError("MR_USAGE", `${target}: dropped letters are gone for good; say --all --yes`);
  return await withLetters(env, target, flags, async (opened) => {
    await lettersOf(opened, target, ids);
    const { dropped } = await opened.letters.drop(choice);
    await print(
      flags.json === true
        ? `${JSON.stringify({ dropped })}\n`
        : `${grouped(dropped)} dead ${dropped === 1 ? "letter" : "letters"} of run ${opened.found.manifest.run} dropped\n`,
    );
    return EXIT.done;
  });
}
