import { join } from "node:path";
import type { Env } from "../env/env.ts";
import { readLock } from "../env/lock-file.ts";
import type { RunStore } from "./run-store.ts";

const KEEP_RUNS = 10;
const KEEP_MS = 7 * 24 * 60 * 60 * 1_000;
const BUNDLE = /^([0-9a-f]{64})\.mjs$/;

/**
 * Removes from a data directory the completed runs of a pipeline that are both old and many - kept are those of seven
 * days, and the last ten -, and bundles as old that no run of any pipeline is made of.
 */
export async function prune(env: Env, store: RunStore, pipeline: string): Promise<void> {
  const now = env.clock.now();
  const completed = (await store.list(pipeline)).filter(({ status }) => status === "completed");
  for (const { run, endedAt, createdAt } of completed.slice(KEEP_RUNS)) {
    if (now - (endedAt ?? createdAt) < KEEP_MS) continue;
    const holder = await readLock(env, store.lockOf(pipeline, run));
    if (holder !== undefined && env.processes.isAlive(holder)) continue;
    await env.disk.remove(store.directoryOf(pipeline, run));
  }
  await pruneBundles(env, store);
}

async function pruneBundles(env: Env, store: RunStore): Promise<void> {
  const folder = store.bundles;
  const old: { readonly path: string; readonly hash: string }[] = [];
  for (const name of await env.disk.list(folder)) {
    const [, hash] = BUNDLE.exec(name) ?? [];
    const path = join(folder, name);
    // n.b. one that a run is about to be made of has just been written: see bundleLocally.
    const { modifiedMs = Number.POSITIVE_INFINITY } = (await env.disk.info(path)) ?? {};
    if (hash !== undefined && env.clock.now() - modifiedMs > KEEP_MS) old.push({ path, hash });
  }
  if (old.length === 0) return;
  const used = new Set<string>();
  for (const pipeline of await env.disk.list(store.directory))
    for (const { bundle } of await store.list(pipeline)) used.add(bundle);
  for (const { path, hash } of old) if (!used.has(hash)) await env.disk.remove(path);
}
