import { createReadStream } from "node:fs";
import type { Command } from "commander";
import type { PushOptions } from "../definition/push.ts";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { LiveRun } from "../run/live-run.ts";
import { EXIT } from "./exit-code.ts";
import { linesOf } from "./json-lines.ts";
import { LinePusher } from "./line-pusher.ts";
import { queryOf, type RunTargetFlags, runTargetOptions, stageTargetOf } from "./run-target.ts";
import { grouped, tell } from "./terminal.ts";

interface PushFlags extends RunTargetFlags {
  readonly delay?: string;
  readonly priority?: string;
  readonly close?: boolean;
  readonly skipBad?: boolean;
}

const PROGRESS_MS = 5_000;

/** Adds `millrace push`. */
export function addPushCommand(program: Command, env: Env, onExit: (code: number) => void): void {
  runTargetOptions(program.command("push"))
    .description("put items into a push source of a run that is at work, one JSON value a line")
    .argument("<PIPELINE/SOURCE>", "which source")
    .argument("[FILE|-]", "where the items are; - is the standard input. Without it nothing is pushed")
    .option("--delay <DURATION>", 'give them to the pipeline after this time: "90s", "5m"')
    .option("--priority <PRIORITY>", "high, normal or low")
    .option("--skip-bad", "name lines that are not JSON, and go on")
    .option("--close", "close the source then: when all is done, the run completes")
    .action(async (target: string, file: string | undefined, flags: PushFlags) =>
      onExit(await push(env, target, file, flags)),
    );
}

async function push(env: Env, target: string, file: string | undefined, flags: PushFlags): Promise<number> {
  const { pipeline, stage: source } = stageTargetOf(target);
  if (file === undefined && flags.close !== true)
    throw new UsageError("MR_USAGE", `push ${target}: name a file, - for the standard input, or say --close`);
  const live = await LiveRun.find(env, queryOf(pipeline, flags));
  const code = file === undefined ? EXIT.done : await pushFile(live, source, file, flags);
  const isWhole = code === EXIT.done || code === EXIT.partly;
  if (flags.close === true && isWhole) {
    await live.request("coord.close-source", { run: live.manifest.run, source });
    tell(`${target} is closed`);
  }
  return code;
}

async function pushFile(live: LiveRun, source: string, file: string, flags: PushFlags): Promise<number> {
  const { delay, priority } = flags;
  const options = {
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(priority === undefined ? {} : { priority }),
  } as PushOptions;
  const name = file === "-" ? "stdin" : file;
  const stream = file === "-" ? process.stdin : createReadStream(file);
  stream.setEncoding("utf8");
  let isInterrupted = false;
  const interrupt = (): void => {
    isInterrupted = true;
    stream.destroy();
  };
  process.once("SIGINT", interrupt);
  const pusher = new LinePusher({
    name,
    skipsBad: flags.skipBad === true,
    push: (values) => live.pushes.push(source, values, options),
  });
  const progress = setInterval(() => tell(`${items(pusher.stored)} stored`), PROGRESS_MS);
  try {
    // Nothing but the check: the source, the options, and whether there is somebody to take the items.
    await live.pushes.push(source, [], options);
    for await (const line of linesOf(stream as AsyncIterable<string>, name)) await pusher.add(line);
    await pusher.end();
  } catch (error) {
    if (!isInterrupted) {
      await pusher.settled();
      if (pusher.stored > 0) tell(`${items(pusher.stored)} stored before that`);
      throw readError(error, file);
    }
    await pusher.settled();
  } finally {
    clearInterval(progress);
    process.off("SIGINT", interrupt);
    await live.pushes.end();
  }
  const bad = pusher.skipped === 1 ? "line" : "lines";
  const skipped = pusher.skipped === 0 ? "" : `, ${grouped(pusher.skipped)} bad ${bad} skipped`;
  tell(`${items(pusher.stored)} stored${skipped}`);
  if (isInterrupted) return EXIT.interrupted;
  return pusher.skipped > 0 ? EXIT.partly : EXIT.done;
}

function items(count: number): string {
  return `${grouped(count)} ${count === 1 ? "item" : "items"}`;
}

function readError(error: unknown, file: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined || code === undefined) return error;
  const isMissing = code === "ENOENT";
  return new UsageError(
    isMissing ? "MR_INPUT_NOT_FOUND" : "MR_USAGE",
    `push: ${file} cannot be read (${code}); name a file of one JSON value a line`,
    { cause: error },
  );
}
