import type { Command } from "commander";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { MAX_INSTANCES } from "../run/check-instances.ts";
import { LiveRun } from "../run/live-run.ts";
import { EXIT } from "./exit-code.ts";
import { queryOf, type RunTargetFlags, runTargetOptions, stageTargetOf, targetOf } from "./run-target.ts";
import { print, tell } from "./terminal.ts";

interface ControlFlags extends RunTargetFlags {
  readonly now?: boolean;
  readonly json?: boolean;
}

/** Adds `pause`, `resume`, `stop` and `scale`. */
export function addControlCommands(program: Command, env: Env, onExit: (code: number) => void): void {
  const add = (name: string, about: string): Command =>
    runTargetOptions(program.command(name).description(about)).option("--json", "print the answer as JSON");

  add("pause", "give a pipeline, or a stage of it, no more items; what is in hand is finished")
    .argument("<PIPELINE[/STAGE]>", "what to pause")
    .action(async (target: string, flags: ControlFlags) => {
      const { live, stage } = await find(env, target, flags);
      const { run } = live.manifest;
      const answer = await live.request("coord.pause", { run, ...stage, stop: false, now: false });
      onExit(await said(`${target} is paused in run ${run}`, { run, ...stage, ...answer }, flags));
    });

  add("resume", "let a paused or stopped pipeline that is at work, or a stage of it, go on")
    .argument("<PIPELINE[/STAGE]>", "what to resume")
    .action(async (target: string, flags: ControlFlags) => {
      const { live, stage } = await find(env, target, flags);
      const { run } = live.manifest;
      const answer = await live.request("coord.resume", { run, ...stage });
      onExit(await said(`${target} goes on in run ${run}`, { run, ...stage, ...answer }, flags));
    });

  add("stop", "stop a run, or a stage of it: what is in hand is finished, what is unfinished is kept")
    .argument("<PIPELINE[/STAGE]>", "what to stop")
    .option("--now", "cancel what is in hand")
    .action(async (target: string, flags: ControlFlags) => {
      const { live, stage } = await find(env, target, flags);
      const { run } = live.manifest;
      const now = flags.now === true;
      const answer =
        stage.stage === undefined
          ? await live.request("coord.stop", { run, now })
          : await live.request("coord.pause", { run, ...stage, stop: true, now });
      onExit(await said(`${target} stops in run ${run}`, { run, ...stage, ...answer }, flags));
    });

  add("scale", "set the number of a stage's instances")
    .argument("<PIPELINE/STAGE>", "which stage")
    .argument("<N|MIN..MAX>", "how many; with a range as many as it has, if they are within it")
    .action(async (target: string, count: string, flags: ControlFlags) => {
      const { pipeline, stage } = stageTargetOf(target);
      const range = rangeOf(count);
      const live = await LiveRun.find(env, queryOf(pipeline, flags));
      const { run } = live.manifest;
      const answer = await live.request("coord.scale", { run, stage, ...range });
      const text = `${target} has ${answer.instances} ${answer.instances === 1 ? "instance" : "instances"} in run ${run}`;
      onExit(await said(text, { run, stage, ...answer }, flags));
    });
}

async function find(
  env: Env,
  target: string,
  flags: ControlFlags,
): Promise<{ live: LiveRun; stage: { stage?: string } }> {
  const { pipeline, ...stage } = targetOf(target);
  return { live: await LiveRun.find(env, queryOf(pipeline, flags)), stage };
}

function rangeOf(text: string): { min: number; max: number } {
  const [, low, high] = /^(\d{1,4})(?:\.\.(\d{1,4}))?$/.exec(text) ?? [];
  const [min, max] = [Number(low), Number(high ?? low)];
  if (low !== undefined && min >= 1 && min <= max && max <= MAX_INSTANCES) return { min, max };
  throw new UsageError(
    "MR_USAGE",
    `scale ${JSON.stringify(text)}: write a number from 1 to ${MAX_INSTANCES}, or two of them as 2..8; to give a stage no items, pause it`,
  );
}

async function said(text: string, answer: object, flags: ControlFlags): Promise<number> {
  if (flags.json === true) await print(`${JSON.stringify(answer)}\n`);
  else tell(text);
  return EXIT.done;
}
