import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { nodeEnv } from "../env/node.ts";
import { addControlCommands } from "./control-commands.ts";
import { addDeadCommand } from "./dead-command.ts";
import { addDoctorCommand } from "./doctor-command.ts";
import { EXIT } from "./exit-code.ts";
import { addExplainCommand } from "./explain-command.ts";
import { addExamples } from "./help.ts";
import { addInitCommand } from "./init-command.ts";
import { addPushCommand } from "./push-command.ts";
import { reportError } from "./report-error.ts";
import { type RunFlags, runCommand } from "./run-command.ts";
import { addSettings } from "./settings.ts";
import { addStatusCommands } from "./status-command.ts";
import { addTestCommand } from "./test-command.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** The command line. commander parses it: kept well, no dependencies, runs on Node 20. */
async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = new Command("millrace")
    .description("Durable pipelines for TypeScript: from a laptop to a grid, the same file.")
    .version(version, "--version")
    .exitOverride()
    .showHelpAfterError("(--help shows what there is)");

  program
    .command("run")
    .description(
      "run a pipeline of a module on this machine, to its end; the same command resumes an unfinished run",
    )
    .argument("<MODULE[#EXPORT]>", "TypeScript or JavaScript file")
    .option("--param <name=value>", "a param of the pipeline; name:=JSON for anything but text", collect)
    .option("--input <FILE>", "the input of a job, a text file; - for stdin")
    .option("--data <DIR>", "where streams and runs are kept (default .millrace, or MILLRACE_DATA)")
    .option(
      "--streams <URL>",
      "where streams lie: file:, memory:, amqp(s)://, nats:// or redis(s)://… (default file:, or MILLRACE_STREAMS)",
    )
    .option(
      "--keep-free <SIZE>",
      "how much of the disk stays free (default 256MB, or 5 % of the disk; or MILLRACE_KEEP_FREE); 0: all is used",
    )
    .option("--instances <stage=n>", "processes of a stage (or MILLRACE_INSTANCES=stage=n,…)", collect)
    .option("--new", "begin a new run, whatever is unfinished")
    .option("--resume <RUN>", "go on with that run")
    .option("--json", "print exactly one JSON document, the run's result, on stdout")
    .option("-q, --quiet", "nothing but errors on stderr")
    .action(async (module: string, flags: RunFlags) => {
      exitCode = await runCommand(nodeEnv, version, module, flags);
    });

  const onExit = (code: number): void => {
    exitCode = code;
  };
  addDeadCommand(program, nodeEnv, version, onExit);
  addDoctorCommand(program, nodeEnv, onExit);
  addExplainCommand(program, onExit);
  addStatusCommands(program, nodeEnv, onExit);
  addControlCommands(program, nodeEnv, onExit);
  addPushCommand(program, nodeEnv, onExit);
  addInitCommand(program, version, onExit);
  addTestCommand(program, onExit);
  addSettings(program);
  addExamples(program);

  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    // commander has printed its message already; help and version are no errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return reportError(error);
  }
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
