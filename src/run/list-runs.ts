import type { RunResult } from "../definition/run-result.ts";
import type { Env } from "../env/env.ts";
import { MillraceError } from "../errors.ts";
import type { ReplyOf } from "../mmop/messages.ts";
import { findDataDirectory } from "./data-directory.ts";
import { pipelinesOf } from "./find-run.ts";
import { LiveRun, ownerOf } from "./live-run.ts";
import { type RunManifest, RunStore } from "./run-store.ts";

/** What a live run says of itself. */
export type RunReport = ReplyOf<"coord.status">["runs"][number];

/** A run of a data directory, as it is now. */
export interface ListedRun {
  readonly pipeline: string;
  readonly run: string;
  /** `interrupted`: its owner was killed. The same command resumes it, as it does a stopped or failed one. */
  readonly status: RunReport["status"] | "interrupted";
  /** Of the process that is at work on it. */
  readonly pid: number | null;
  /** Wall clock, milliseconds since 1970: when its owner started, or it was made; when it ended. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** Sources wait and pushes are refused: there is little room on the disk. */
  readonly disk?: "low";
  /** Its broker is away or takes nothing, in words, and for how long: the run waits. */
  readonly trouble?: { readonly what: string; readonly forMs: number };
  readonly stages: readonly StageReport[];
}

/** `counts` of a run that was killed are not known; of one that has ended nothing is running. */
export type StageReport = Pick<RunReport["stages"][number], "stage" | "kind"> &
  Partial<RunReport["stages"][number]>;

export interface ListQuery {
  readonly data: string;
  readonly pipeline?: string;
  readonly run?: string;
}

/**
 * All runs under a data directory, or those of a pipeline, newest first. Makes nothing where there is none.
 *
 * Throws DataDirectoryError for a directory that cannot be read.
 */
export async function listRuns(env: Env, { data, pipeline, run }: ListQuery): Promise<ListedRun[]> {
  const directory = await findDataDirectory(env, data);
  if (directory === undefined) return [];
  const store = new RunStore(env, directory);
  const pipelines = pipeline === undefined ? await pipelinesOf(env, store) : [pipeline];
  const manifests = (await Promise.all(pipelines.map((name) => store.list(name)))).flat();
  const wanted = manifests.filter((manifest) => run === undefined || manifest.run === run);
  const listed = await Promise.all(wanted.map((manifest) => listedRun(env, store, manifest)));
  return listed.sort((a, b) => b.startedAt - a.startedAt);
}

async function listedRun(env: Env, store: RunStore, manifest: RunManifest): Promise<ListedRun> {
  const { pipeline, run } = manifest;
  const owner = await ownerOf(env, store, manifest);
  if (owner !== undefined) {
    const report = await ask(env, store, manifest);
    const { status = "starting", startedAtMs = manifest.createdAt } = report ?? {};
    const stages = report?.stages ?? stagesOf(manifest, undefined);
    const waits = {
      ...(report?.disk && { disk: report.disk }),
      ...(report?.trouble && { trouble: report.trouble }),
    };
    return { pipeline, run, status, pid: owner.pid, startedAt: startedAtMs, endedAt: null, ...waits, stages };
  }
  // It may have ended since the manifest was read.
  const now = (await store.read(pipeline, run)) ?? manifest;
  return {
    pipeline,
    run,
    status: now.status === "running" ? "interrupted" : now.status,
    pid: null,
    startedAt: now.createdAt,
    endedAt: now.endedAt ?? null,
    stages: stagesOf(now, now.stages),
  };
}

function stagesOf({ shape }: RunManifest, counts: RunResult["stages"] | undefined): StageReport[] {
  return shape.nodes.map(({ name, kind }) => ({
    stage: name,
    kind,
    ...(counts?.[name] === undefined ? {} : { counts: counts[name] }),
  }));
}

/** Undefined when it does not answer: it is starting, ending, or stuck. */
async function ask(
  env: Env,
  store: RunStore,
  { pipeline, run }: RunManifest,
): Promise<RunReport | undefined> {
  try {
    const live = await LiveRun.find(env, { data: store.directory, pipeline, run });
    return (await live.request("coord.status", { run })).runs[0];
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}
