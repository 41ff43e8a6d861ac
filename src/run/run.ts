import { fileURLToPath } from "node:url";
import { countsOf } from "../coordinator/coordinator.ts";
import { definitionOf } from "../definition/definition-of.ts";
import type { Handle, RunOptions, RunStatus } from "../definition/run-options.ts";
import type { RunResult } from "../definition/run-result.ts";
import type { NodeShape } from "../definition/shape.ts";
import { shapeOf } from "../definition/shape-of.ts";
import { nodeEnv } from "../env/node.ts";
import { describeValue, UsageError } from "../errors.ts";
import type { FromInstance } from "../instance/messages.ts";
import { handleVerbs } from "./handle-verbs.ts";
import { InProcessRun } from "./in-process-run.ts";
import { jobHandle } from "./job-handle.ts";
import { checkInput } from "./job-input.ts";
import { outputOf } from "./job-outcome.ts";
import { LocalRun } from "./local-run.ts";
import type { Resume } from "./run-store.ts";
import { type Streams, streamsOf } from "./streams-url.ts";
import { readVersion } from "./version.ts";

/**
 * Starts a run and gives a handle to it. A pipeline that knows its module, and a module by its URL, run in
 * processes of their own; a pipeline without one runs inside this process over memory streams.
 */
export async function startRun(what: unknown, options: RunOptions): Promise<Handle> {
  checkOptions(options);
  const definition = definitionOf(what);
  const module = definition === undefined ? moduleOf(what) : definition.module;
  const handle =
    module === undefined && definition !== undefined
      ? await startInProcess(definition, options)
      : await startLocal(module as string, options);
  const { signal } = options;
  if (signal !== undefined) {
    const stop = (): void => void handle.stop();
    if (signal.aborted) stop();
    else {
      signal.addEventListener("abort", stop, { once: true });
      void handle.done.finally(() => signal.removeEventListener("abort", stop)).catch(() => undefined);
    }
  }
  return handle;
}

const OPTIONS: readonly (keyof RunOptions)[] = [
  "params",
  "input",
  "data",
  "streams",
  "instances",
  "resume",
  "signal",
];

/** A misspelt option must not go by unseen. */
function checkOptions(options: RunOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.some((known) => known === name));
  if (unknown === undefined) return;
  throw new UsageError("MR_USAGE", `run: there is no option ${unknown}; there are ${OPTIONS.join(", ")}`);
}

function moduleOf(what: unknown): string {
  if (what instanceof URL && what.protocol === "file:") return `${fileURLToPath(what)}${what.hash}`;
  if (typeof what === "string" && what !== "")
    return what.startsWith("file:") ? moduleOf(new URL(what)) : what;
  throw new UsageError(
    "MR_NOTHING_TO_RUN",
    `run: ${describeValue(what)} is neither a pipeline nor the file: URL of a module`,
  );
}

async function startInProcess(
  definition: Parameters<typeof InProcessRun.start>[0]["definition"],
  options: RunOptions,
): Promise<Handle> {
  checkInProcess(definition.name, streamsOf(options.streams ?? "memory:"));
  const { input } = options;
  if (input !== undefined && definition.job === undefined)
    throw new UsageError("MR_USAGE", `pipeline ${definition.name}: it takes no input; only a job does`);
  if (input === undefined) checkInput(shapeOf(definition));
  const run = await InProcessRun.start({
    env: nodeEnv,
    definition,
    params: options.params ?? {},
    ...(input !== undefined && { input }),
    instances: new Map(Object.entries(options.instances ?? {})),
    onMessage: (stage, message) => logMessage(stage, message),
  });
  const handle: Handle = {
    run: run.run,
    done: run.result(),
    status: async (): Promise<RunStatus> => {
      const { counts } = await run.counts();
      return { run: run.run, status: run.status, stages: stagesOf(run.shape.nodes, counts) };
    },
    ...handleVerbs(run),
  };
  return definition.job === undefined ? handle : jobHandle(handle, nodeEnv.timers, () => run.counts());
}

function checkInProcess(pipeline: string, streams: Streams): void {
  if (streams.kind === "memory") return;
  throw new UsageError(
    "MR_NOT_SUPPORTED",
    `pipeline ${pipeline}: without a module it runs inside this process, over memory streams; give it module: import.meta.url for streams ${streams.kind === "file" ? "file:" : streams.address}`,
  );
}

function logMessage(stage: string, message: FromInstance): void {
  if (message.kind !== "log" || message.level === "debug") return;
  const fields = message.fields === undefined ? "" : ` ${JSON.stringify(message.fields)}`;
  process.stderr.write(`${message.level} ${stage}: ${message.message}${fields}\n`);
}

async function startLocal(module: string, options: RunOptions): Promise<Handle> {
  const { resume, input } = options;
  const local = await LocalRun.start({
    env: nodeEnv,
    module,
    params: options.params ?? {},
    ...(input !== undefined && { input: { kind: "value", value: input } }),
    data: options.data ?? ".millrace",
    streams: streamsOf(options.streams ?? "file:"),
    instances: new Map(Object.entries(options.instances ?? {})),
    resume: resumeOf(resume),
    version: await readVersion(nodeEnv),
    display: {
      onModuleOutput: (stream, line) => process[stream].write(`${line}\n`),
      onOutput: (_stage, stream, line) => process[stream].write(`${line}\n`),
      onLog: (stage, level, message, fields) =>
        logMessage(stage, { kind: "log", level, message, ...(fields === undefined ? {} : { fields }) }),
      onProgress: () => undefined,
      onRestart: (stage, what) =>
        logMessage(stage, { kind: "log", level: "warn", message: `${what}; replaced` }),
      onStarted: () => undefined,
    },
  });
  const handle: Handle = {
    run: local.manifest.run,
    done: local.result(),
    status: async (): Promise<RunStatus> => {
      const { controller } = local;
      const stats = controller.isOver ? controller.stats : await controller.scan();
      const isUnderWay = controller.status === "starting" || controller.status === "draining";
      return {
        run: local.manifest.run,
        status: controller.isPaused
          ? "paused"
          : isUnderWay
            ? "running"
            : (controller.status as RunStatus["status"]),
        stages: stagesOf(local.manifest.shape.nodes, stats?.counts ?? {}),
        ...(stats?.disk && !controller.isOver && { disk: stats.disk }),
        ...(stats?.trouble && !controller.isOver && { trouble: stats.trouble }),
      };
    },
    ...handleVerbs(local),
  };
  if (local.manifest.shape.kind !== "job") return handle;
  return jobHandle(handle, nodeEnv.timers, async () => {
    const { controller } = local;
    const stats = controller.isOver ? controller.stats : await controller.scan();
    const streams = (stats?.streams ?? []).map(({ name, unsettled, delayed, waiting }) => ({
      name,
      claimed: unsettled - delayed - waiting,
    }));
    return { counts: stats?.counts ?? {}, streams };
  });
}

function stagesOf(
  nodes: readonly NodeShape[],
  counts: Readonly<Record<string, Readonly<Record<string, number>>>>,
): RunResult["stages"] {
  return Object.fromEntries(nodes.map(({ name, kind }) => [name, countsOf(counts[name] ?? {}, kind)]));
}

function resumeOf(resume: string | undefined): Resume {
  if (resume === undefined || resume === "auto") return "auto";
  return resume === "new" ? "new" : { run: resume };
}

/** Runs to the end. Throws JobFailedError for a job that has failed. */
export async function runToEnd(what: unknown, options: RunOptions): Promise<RunResult> {
  const handle = await startRun(what, options);
  const result = await handle.done;
  if ("progress" in handle && result.status === "failed") outputOf(result);
  return result;
}
