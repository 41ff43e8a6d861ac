import { join } from "node:path";
import { type Command, Option } from "commander";
import { describeModule } from "../bundle/describe.ts";
import type { DeadLetterFilter } from "../definition/dead-letter.ts";
import type { Env } from "../env/env.ts";
import { MillraceError, RunError, UsageError } from "../errors.ts";
import type { OpenedLetters } from "../run/open-letters.ts";
import { checkStages, type RunManifest } from "../run/run-store.ts";
import { dataFlag, dataOf } from "./data-flag.ts";
import { givenOf, moduleOf } from "./dead-module.ts";
import { type ChoiceFlags, choiceOf, choiceOptions, lettersOf, withLetters } from "./dead-target.ts";
import { EXIT } from "./exit-code.ts";
import { runCommand } from "./run-command.ts";
import { grouped, print, tell } from "./terminal.ts";

interface ReplayFlags extends ChoiceFlags {
  /** False with --no-run. */
  readonly go?: boolean;
  readonly module?: string;
  readonly streams?: string;
  readonly json?: boolean;
}

export function addDeadReplayCommand(
  dead: Command,
  env: Env,
  version: string,
  onExit: (code: number) => void,
): void {
  const noRun = new Option("--no-run", "only put them back: the next `millrace run` works on them");
  // n.b. commander would store it as `run`, which is the name of the run.
  noRun.attributeName = () => "go";
  choiceOptions(dead.command("replay"))
    .description("put dead letters back on their stages, then run the pipeline to its end, unless it runs")
    .addOption(noRun)
    .option("--module <MODULE[#EXPORT]>", "where the pipeline lies now (default: where it lay)")
    .option("--streams <URL>", "with password, the broker that holds the run (or MILLRACE_STREAMS)")
    .option("--json", "print exactly one JSON document on stdout: the run's result, as `millrace run` does")
    .action(async (target: string, ids: string[], flags: ReplayFlags) =>
      onExit(await deadReplay(env, version, target, ids, flags)),
    );
}

interface PutBack {
  readonly manifest: RunManifest;
  readonly replayed: number;
  /** The run has to be taken to its end by us. */
  readonly isToRun: boolean;
}

async function deadReplay(
  env: Env,
  version: string,
  target: string,
  ids: readonly string[],
  flags: ReplayFlags,
): Promise<number> {
  const choice = choiceOf(target, ids, flags);
  const { manifest, replayed, isToRun } = await withLetters(env, target, flags, async (opened) => {
    await lettersOf(opened, target, ids);
    return await putBack(env, opened, choice, flags);
  });
  if (!isToRun) {
    if (flags.json === true) await print(`${JSON.stringify({ run: manifest.run, replayed })}\n`);
    return EXIT.done;
  }
  return await runCommand(env, version, moduleOf(manifest, flags.module), {
    data: dataOf(flags.data),
    // n.b. a setting for new runs means nothing to one whose items lie in files.
    streams: manifest.streams === undefined ? "file:" : (flags.streams ?? manifest.streams),
    resume: manifest.run,
    param: Object.entries(givenOf(manifest)).map(([name, value]) => `${name}:=${JSON.stringify(value)}`),
    ...(flags.json === undefined ? {} : { json: flags.json }),
  });
}

async function putBack(
  env: Env,
  { found, letters, records }: OpenedLetters,
  choice: DeadLetterFilter,
  flags: ReplayFlags,
): Promise<PutBack> {
  const { manifest } = found;
  const { run, pipeline, status } = manifest;
  // n.b. before anything is moved: what was put back waits for code that can work on it.
  if (flags.go !== false && !records.isLive) await checkModule(env, manifest, flags);
  const { replayed, unreadable } = await letters.replay(choice);
  for (const id of unreadable)
    tell(`warn dead letter ${id}: its stored bytes are damaged; it stays where it is`);
  tell(
    `${grouped(replayed)} dead ${replayed === 1 ? "letter" : "letters"} put back in run ${run} of ${pipeline}`,
  );
  if (records.isLive) tell("the run is at work on them");
  // A run that was broken off has to be finished, also when nothing is left to be put back.
  const isToRun = !records.isLive && flags.go !== false && (replayed > 0 || status !== "completed");
  if (!isToRun && !records.isLive && replayed > 0)
    tell(
      `go on with it: millrace run ${moduleOf(manifest, flags.module)} --resume ${run}${dataFlag(flags.data)}`,
    );
  return { manifest, replayed, isToRun };
}

/** The module as it is now must still be able to work on all that the run holds. */
async function checkModule(env: Env, manifest: RunManifest, flags: ReplayFlags): Promise<void> {
  const module = moduleOf(manifest, flags.module);
  try {
    const { shape } = await describeModule(env, {
      module,
      params: givenOf(manifest),
      outDirectory: join(dataOf(flags.data), "bundles"),
    });
    if (shape.name !== manifest.pipeline) {
      throw new UsageError(
        "MR_NOTHING_TO_RUN",
        `${module}: it exports pipeline ${shape.name}, run ${manifest.run} is one of ${manifest.pipeline}; name the module with --module`,
      );
    }
    checkStages(manifest, shape);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const hint =
      error.code === "MR_MODULE_NOT_FOUND" && flags.module === undefined
        ? "; say where it lies now with --module FILE"
        : "";
    const Kind = error.code === "MR_RUN_CONFLICT" ? RunError : UsageError;
    throw new Kind(error.code, `${error.message}${hint}; nothing was put back`, {
      cause: error.cause,
      details: error.details,
    });
  }
}
