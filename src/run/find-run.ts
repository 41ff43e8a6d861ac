import type { Env } from "../env/env.ts";
import { RunError } from "../errors.ts";
import { findDataDirectory } from "./data-directory.ts";
import { type RunManifest, RunStore } from "./run-store.ts";

export interface RunQuery {
  readonly data: string;
  readonly pipeline: string;
  /** Default: the newest run of the pipeline. */
  readonly run?: string;
}

export interface FoundRun {
  readonly store: RunStore;
  readonly manifest: RunManifest;
}

/** How many names an error lists. */
const SHOWN = 10;

/**
 * Finds a run by its pipeline in a data directory. Makes nothing, also where there is no such directory.
 *
 * Throws RunError MR_RUN_UNKNOWN, and DataDirectoryError for a directory that cannot be read.
 */
export async function findRun(env: Env, { data, pipeline, run }: RunQuery): Promise<FoundRun> {
  const directory = await findDataDirectory(env, data);
  if (directory === undefined) {
    throw new RunError(
      "MR_RUN_UNKNOWN",
      `pipeline ${pipeline}: there is no data directory ${JSON.stringify(data)}; name it with --data`,
    );
  }
  const store = new RunStore(env, directory);
  const runs = await store.list(pipeline);
  const manifest = run === undefined ? runs[0] : runs.find((known) => known.run === run);
  if (manifest !== undefined) return { store, manifest };
  if (runs.length > 0) {
    const names = runs.slice(0, SHOWN).map((known) => known.run);
    throw new RunError(
      "MR_RUN_UNKNOWN",
      `pipeline ${pipeline}: there is no run ${JSON.stringify(run)} here; there are ${names.join(", ")}`,
    );
  }
  const pipelines = await pipelinesOf(env, store);
  throw new RunError(
    "MR_RUN_UNKNOWN",
    `pipeline ${pipeline}: ${directory} holds no run of it${pipelines.length === 0 ? "" : `; it holds runs of ${pipelines.slice(0, SHOWN).join(", ")}`}`,
  );
}

/** Names of the pipelines that have runs in a data directory. */
export async function pipelinesOf(env: Env, store: RunStore): Promise<string[]> {
  const pipelines: string[] = [];
  for (const name of await env.disk.list(store.directory)) {
    if ((await store.list(name)).length > 0) pipelines.push(name);
  }
  return pipelines.sort();
}
