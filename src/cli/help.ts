import type { Command } from "commander";

/** One example a command, by its words. */
const EXAMPLES: Readonly<Record<string, string>> = {
  run: "millrace run orders.ts --param day=monday --instances check=4",
  "dead list": "millrace dead list orders/check",
  "dead show": "millrace dead show orders/check 01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "dead edit": "millrace dead edit orders/check 01ARZ3NDEKTSV4RRFFQ69G5FAV --set '{\"total\": 7}'",
  "dead replay": "millrace dead replay orders/check --all",
  "dead drop": 'millrace dead drop orders --all --error "order is empty"',
  "dead export": "millrace dead export orders --to letters.jsonl",
  ps: "millrace ps --json",
  status: "millrace status orders",
  pause: "millrace pause orders/check",
  resume: "millrace resume orders/check",
  stop: "millrace stop orders --now",
  scale: "millrace scale orders/check 4",
  push: "millrace push orders/feed rows.jsonl --close",
  doctor: "millrace doctor --json",
  explain: "millrace explain MR_NO_SINK",
  init: "millrace init orders && cd orders && npm install && npm start",
  test: "millrace test",
};

const FIRST_STEPS = `
First steps:
  millrace init my-app      a starter project that runs
  millrace run pipeline.ts  runs a pipeline to its end; the same command resumes it
  millrace explain          all error codes; with a code: what it means and what to do
`;

/** Adds to each command's help its example. To be called when all commands are there. */
export function addExamples(program: Command): void {
  program.addHelpText("after", FIRST_STEPS);
  for (const [words, command] of commandsOf(program)) {
    const example = EXAMPLES[words];
    if (example !== undefined) command.addHelpText("after", `\nExample:\n  ${example}`);
  }
}

/** Every command that does something, with its words. */
export function* commandsOf(command: Command, words: readonly string[] = []): Generator<[string, Command]> {
  if (command.commands.length === 0) yield [words.join(" "), command];
  for (const part of command.commands) yield* commandsOf(part, [...words, part.name()]);
}
