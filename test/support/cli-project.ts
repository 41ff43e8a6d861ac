import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Counts, RunResult } from "../../src/definition/run-result.ts";
import type { StoredDeadLetter } from "./dead-letter.ts";
import { type CliOptions, type CliResult, type RunningCli, runCli, startCli } from "./run-cli.ts";

export type RunSettings = Omit<CliOptions, "cwd">;

/** A user's project in a folder of its own, with its data directory; gone when the test is over. */
export interface CliProject {
  readonly folder: string;
  readonly data: string;
  path(name: string): string;
  write(name: string, text: string): void;
  /** `millrace …` in the project's folder. */
  millrace(args: readonly string[], settings?: RunSettings): Promise<CliResult>;
  /** `millrace run MODULE --json --data …`. */
  run(module: string, args?: readonly string[], settings?: RunSettings): Promise<CliResult>;
  start(module: string, args?: readonly string[], settings?: RunSettings): RunningCli;
  /** As `millrace`, still at work. */
  startCommand(args: readonly string[], settings?: RunSettings): RunningCli;
  /** What `note(value)` of the project's modules wrote into a file, in order. */
  notes<T>(name?: string): T[];
  deadLetters(target: string): Promise<StoredDeadLetter[]>;
}

const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** `note(value, file?)` appends a line of JSON to a file in the project's folder: it is there when the call returns. */
const NOTE = `
import { appendFileSync } from "node:fs";
export function note(value: unknown, file = "notes"): void {
  appendFileSync(\`\${file}.jsonl\`, \`\${JSON.stringify(value)}\\n\`);
}
`;

export function cliProject(files: Readonly<Record<string, string>>): CliProject {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-e2e-")));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, "data");
  const path = (name: string): string => join(folder, name);
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
  };
  mkdirSync(path("node_modules"));
  symlinkSync(join(PACKAGES, "zod"), path("node_modules/zod"));
  for (const [name, text] of Object.entries({ "note.ts": NOTE, ...files })) write(name, text);
  const millrace = (args: readonly string[], settings: RunSettings = {}): Promise<CliResult> =>
    runCli(args, { cwd: folder, ...settings });
  const command = (module: string, args: readonly string[]): string[] => [
    "run",
    module,
    "--json",
    "--data",
    data,
    ...args,
  ];
  return {
    folder,
    data,
    path,
    write,
    millrace,
    run: (module, args = [], settings = {}) => runCli(command(module, args), { cwd: folder, ...settings }),
    start: (module, args = [], settings = {}) =>
      startCli(command(module, args), { cwd: folder, ...settings }),
    startCommand: (args, settings = {}) => startCli(args, { cwd: folder, ...settings }),
    notes<T>(name = "notes") {
      const file = path(`${name}.jsonl`);
      if (!existsSync(file)) return [];
      return readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as T);
    },
    async deadLetters(target) {
      const { code, stdout, stderr } = await millrace(["dead", "list", target, "--json", "--data", data]);
      if (code !== 0) throw new Error(`millrace dead list ${target}: exit code ${code}\n${stderr}`);
      return JSON.parse(stdout) as StoredDeadLetter[];
    },
  };
}

/** The law of every stage: each delivery ended in exactly one way. Gives what is still to be settled, by stage; empty when nothing is. */
export function unsettled(result: RunResult): Record<string, number> {
  const left: Record<string, number> = {};
  for (const [stage, counts] of Object.entries(result.stages)) {
    const difference = counts.accepted - settledOf(counts);
    if (difference !== 0) left[stage] = difference;
  }
  return left;
}

function settledOf({ completed, filtered, dead, discarded, quarantined }: Counts): number {
  return completed + filtered + dead + discarded + quarantined;
}

/** Counts that are not 0, for comparison. */
export function countsOf(result: RunResult): Record<string, Partial<Counts>> {
  return Object.fromEntries(
    Object.entries(result.stages).map(([stage, counts]) => [
      stage,
      Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== 0)),
    ]),
  );
}
