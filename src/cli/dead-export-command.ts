import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { letterAsJson } from "./dead-letter-text.ts";
import { type ChoiceFlags, choiceOptions, filterOf, lettersOf, withLetters } from "./dead-target.ts";
import { EXIT } from "./exit-code.ts";
import { grouped, print, tell } from "./terminal.ts";

interface ExportFlags extends ChoiceFlags {
  readonly to?: string;
}

export function addDeadExportCommand(dead: Command, env: Env, onExit: (code: number) => void): void {
  choiceOptions(dead.command("export"))
    .description("write dead letters out, one JSON a line, their items with no type lost; they stay")
    .option("--to <FILE>", "into a file, which is written anew; - is standard output (default)", "-")
    .action(async (target: string, ids: string[], flags: ExportFlags) =>
      onExit(await deadExport(env, target, ids, flags)),
    );
}

async function deadExport(
  env: Env,
  target: string,
  ids: readonly string[],
  flags: ExportFlags,
): Promise<number> {
  const choice = filterOf(target, ids, flags);
  return await withLetters(env, target, flags, async (opened) => {
    await lettersOf(opened, target, ids);
    const out = flags.to === undefined || flags.to === "-" ? undefined : fileOut(flags.to);
    const write = out?.write ?? print;
    let exported = 0;
    for await (const letter of opened.letters.list(choice)) {
      if (!(await write(`${JSON.stringify(letterAsJson(letter, true))}\n`))) break;
      exported++;
    }
    await out?.end();
    tell(`${grouped(exported)} dead ${exported === 1 ? "letter" : "letters"} exported`);
    return EXIT.done;
  });
}

/** Writes to a file as fast as it takes it. */
function fileOut(path: string): { write(text: string): Promise<boolean>; end(): Promise<void> } {
  const stream = createWriteStream(path, { mode: 0o600 });
  const failed = new Promise<never>((_, reject) => {
    stream.once("error", (cause) =>
      reject(new UsageError("MR_USAGE", `--to ${path}: it cannot be written (${cause.message})`, { cause })),
    );
  });
  failed.catch(() => undefined);
  return {
    write: async (text) => {
      if (!stream.write(text))
        await Promise.race([failed, new Promise<void>((resolve) => stream.once("drain", resolve))]);
      return true;
    },
    end: async () => {
      stream.end();
      await Promise.race([failed, finished(stream)]);
    },
  };
}
