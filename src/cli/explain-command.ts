import type { Command } from "commander";
import { styleFor } from "./display/style.ts";
import { type ErrorEntry, errorCatalogue, errorEntry } from "./error-catalogue.ts";
import { EXIT, exitCodeFor } from "./exit-code.ts";
import { print } from "./terminal.ts";

interface ExplainFlags {
  readonly json?: boolean;
}

/** Adds `millrace explain`; `onExit` is told its exit code. */
export function addExplainCommand(program: Command, onExit: (code: number) => void): void {
  program
    .command("explain")
    .description(
      "what an error code means, why it comes, and what to do about it; without a code: all of them",
    )
    .argument("[CODE]", "in upper or lower case, with or without MR_")
    .option("--json", "print one JSON document")
    .action(async (code: string | undefined, flags: ExplainFlags) => onExit(await explain(code, flags)));
}

/** Explains a code, or lists them; gives the exit code. */
export async function explain(code: string | undefined, flags: ExplainFlags): Promise<number> {
  const catalogue = errorCatalogue();
  if (code === undefined)
    await print(flags.json === true ? jsonOf(catalogue.map(asJson)) : listOf(catalogue));
  else {
    const entry = errorEntry(catalogue, code);
    await print(flags.json === true ? jsonOf(asJson(entry)) : textOf(entry));
  }
  return EXIT.done;
}

function asJson({ code, group, meaning, remedy, example }: ErrorEntry): Record<string, unknown> {
  const line = (text: string): string => text.replaceAll("\n", " ");
  return {
    code,
    group,
    meaning: line(meaning),
    remedy: line(remedy),
    example: line(example),
    exitCode: exitCodeFor(code),
  };
}

function jsonOf(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

const INDENT = 11;

function textOf({ code, meaning, remedy, example }: ErrorEntry): string {
  const { bold, dim } = styleFor(process.stdout, process.env);
  const width = Math.min(100, process.stdout.columns || 100);
  const part = (label: string, text: string): string => {
    const lines = text.split("\n\n").flatMap((paragraph) => wrapped(paragraph, width - INDENT));
    return lines
      .map((line, at) => `${at === 0 ? dim(label.padEnd(INDENT)) : " ".repeat(INDENT)}${line}\n`)
      .join("");
  };
  return [
    `${bold(code)}\n`,
    part("why", meaning),
    part("to do", remedy),
    part("example", example),
    part("exit code", `${exitCodeFor(code)}, where it ends a command.`),
  ].join("");
}

/** A line a code, with the first sentence of what it means. */
function listOf(catalogue: readonly ErrorEntry[]): string {
  const { bold } = styleFor(process.stdout, process.env);
  const width = Math.max(...catalogue.map(({ code }) => code.length));
  let group = "";
  let text = "";
  for (const entry of catalogue) {
    if (entry.group !== group) {
      group = entry.group;
      text += `${text === "" ? "" : "\n"}${bold(group)}\n`;
    }
    const [sentence = ""] = entry.meaning.replaceAll("\n", " ").split(/(?<=\.)\s/);
    text += `  ${entry.code.padEnd(width)}  ${sentence}\n`;
  }
  return text;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
