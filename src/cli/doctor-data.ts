import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Env } from "../env/env.ts";
import { readLock } from "../env/lock-file.ts";
import { findDataDirectory } from "../run/data-directory.ts";
import { pipelinesOf } from "../run/find-run.ts";
import { type RunManifest, RunStore } from "../run/run-store.ts";
import { type Check, fail, failing, ok, warn } from "./doctor-check.ts";

const GB = 1024 ** 3;
const LITTLE_BYTES = GB;
const FLUSHES = 20;
const SLOW_FLUSH_MS = 50;
/** No disk is that fast: something answers for it without storing anything. */
const IMPOSSIBLE_FLUSH_MS = 0.01;
const SHOWN_RUNS = 5;

/** File systems, by the number that the system gives them, on which a flush means little. */
const UNSAFE = new Map([
  [0x01021994, "tmpfs, which is memory: nothing on it survives a power cut or a reboot"],
  [0x858458f6, "ramfs, which is memory: nothing on it survives a power cut or a reboot"],
  [0x6969, "NFS: what a flush means there depends on the server, and a lost connection stops the run"],
  [0xff534d42, "CIFS: what a flush means there depends on the server, and a lost connection stops the run"],
]);

/** What there is to say about a data directory. Makes nothing where it is not there yet. */
export async function checkData(env: Env, path: string): Promise<Check[]> {
  const directory = resolve(path);
  let found: string | undefined;
  try {
    found = await findDataDirectory(env, path);
    if (found === undefined) return [await checkFuture(env, directory)];
    await access(found, constants.R_OK | constants.W_OK);
  } catch (error) {
    return [
      fail(
        "data",
        (error as Error).message,
        "name another directory with --data, or give this user access to it",
      ),
    ];
  }
  const data = found;
  return [
    await checkRoom(env, data),
    await failing("flush", "check the disk; with --streams memory: nothing is stored at all", () =>
      checkFlush(env, data),
    ),
    await failing("runs", "look at the files in the data directory", () => checkRuns(env, data)),
  ];
}

/** The directory is not there: would the first run be able to make it? */
async function checkFuture(env: Env, directory: string): Promise<Check> {
  let parent = directory;
  while ((await env.disk.info(parent)) === undefined && parent !== dirname(parent)) parent = dirname(parent);
  try {
    await access(parent, constants.W_OK);
  } catch {
    return fail(
      "data",
      `${directory} is not there, and ${parent} cannot be written to`,
      "name another directory with --data",
    );
  }
  const free = await env.disk.freeBytes(parent);
  return judgeRoom(
    free,
    `${directory} is not there yet: the first run makes it; what its disk is worth can be told then`,
  );
}

async function checkRoom(env: Env, data: string): Promise<Check> {
  return judgeRoom(await env.disk.freeBytes(data), `${data} is millrace's and can be written to`);
}

function judgeRoom(free: number, what: string): Check {
  const detail = `${what}; ${(free / GB).toFixed(1)} GB are free`;
  return free < LITTLE_BYTES
    ? warn("data", detail, "make room: a run stops when its disk is full")
    : ok("data", detail);
}

/** Flushes a small file a few times, as the log does, and removes it. */
async function checkFlush(env: Env, data: string): Promise<Check> {
  const kind = UNSAFE.get((await statfs(data)).type);
  if (kind !== undefined)
    return warn(
      "flush",
      `the data directory is on ${kind}`,
      "name a directory on a disk of this machine with --data",
    );
  const path = join(data, `.probe-${env.random.bytes(6).toString("hex")}`);
  const times: number[] = [];
  const file = await env.disk.open(path, "create");
  try {
    for (let i = 0; i < FLUSHES; i++) {
      await file.writev([Buffer.alloc(4_096, i)], i * 4_096);
      const startedAt = env.clock.mono();
      await file.datasync();
      times.push(env.clock.mono() - startedAt);
    }
  } finally {
    await file.close();
    await env.disk.remove(path);
  }
  const median = times.sort((a, b) => a - b)[FLUSHES / 2] ?? 0;
  const detail = `a flush to disk takes ${median.toFixed(2)} ms (median of ${FLUSHES})`;
  if (median < IMPOSSIBLE_FLUSH_MS)
    return warn(
      "flush",
      `${detail}: no disk is that fast, so flushes are not carried out`,
      "see what swallows fsync here: eatmydata, or a virtual disk that is set to ignore it",
    );
  if (median > SLOW_FLUSH_MS)
    return warn(
      "flush",
      detail,
      'use a faster disk, or durability: "process" where a power cut may cost items',
    );
  return ok("flush", detail);
}

/** Unfinished runs, and whose locks are left over. */
async function checkRuns(env: Env, data: string): Promise<Check> {
  const store = new RunStore(env, data);
  const said: string[] = [];
  let isInterrupted = false;
  let total = 0;
  for (const pipeline of await pipelinesOf(env, store)) {
    for (const manifest of await store.list(pipeline)) {
      total++;
      const holder = await readLock(env, store.lockOf(pipeline, manifest.run));
      const isLive = holder !== undefined && env.processes.isAlive(holder);
      if (manifest.status === "completed" && holder === undefined) continue;
      if (!isLive && manifest.status !== "completed") isInterrupted = true;
      said.push(`${pipeline} ${manifest.run} ${stateOf(manifest, holder?.pid, isLive)}`);
    }
  }
  const shown =
    said.slice(0, SHOWN_RUNS).join("; ") +
    (said.length > SHOWN_RUNS ? `; and ${said.length - SHOWN_RUNS} more` : "");
  const detail = said.length === 0 ? `${total} ${total === 1 ? "run" : "runs"}, none unfinished` : shown;
  if (isInterrupted)
    return warn("runs", detail, "run the same command again to resume, or with --new to begin anew");
  return ok("runs", detail);
}

function stateOf({ status }: RunManifest, holder: number | undefined, isLive: boolean): string {
  if (isLive)
    return status === "completed" ? `is being read by process ${holder}` : `is at work (process ${holder})`;
  const lock =
    holder === undefined
      ? ""
      : `, with a lock of process ${holder}, which is gone: the next run takes it over`;
  return status === "running" ? `was interrupted${lock}` : `is ${status}${lock}`;
}
