import { join } from "node:path";
import { StreamsProcess } from "../agent/streams-process.ts";
import type { Env } from "../env/env.ts";
import { acquireLock, type Lock, readLock } from "../env/lock-file.ts";
import { DataDirectoryError, MillraceError, RunError } from "../errors.ts";
import { connectControlSocket } from "../mmop/socket-link.ts";
import { StreamConnection } from "../streams/connection.ts";
import type { ReplayAnswer } from "../streams/letter-desk.ts";
import { type ControlRequests, STREAM_PROTOCOL_VERSION } from "../streams/protocol.ts";
import { dataError } from "./data-directory.ts";
import type { FoundRun } from "./find-run.ts";
import { addressIn, READER_NOTE, type RunAddress } from "./run-address.ts";
import { openRuntimeDirectory } from "./runtime-directory.ts";

/** What a streams process is asked about a run's records. */
export type Question = "scan" | "get" | "count" | "keys" | "drop-letters" | "edit-letters";

/** Who answers for a run: its own processes, over their sockets, or a streams process started for the purpose. */
export interface RecordsAccess {
  request<Verb extends Question>(
    verb: Verb,
    ask: ControlRequests[Verb]["ask"],
  ): Promise<ControlRequests[Verb]["answer"]>;
  /** Throws MR_STAGE_COMPLETED, as an error of the other side, where the run has no use for them any more. */
  replay(stage: string, ids: readonly string[]): Promise<ReplayAnswer>;
}

export interface ReachedRun extends RecordsAccess {
  /** Somebody is at work on the run. */
  readonly isLive: boolean;
  /** What was found damaged when the log was opened for this purpose. */
  readonly damage: readonly string[];
  close(): Promise<void>;
}

/** A run that is being started or ended says for a moment neither where it is nor that it is gone. */
const MOMENT_MS = 5_000;
const ANSWER_MS = 10_000;
const REPLAY_MS = 60_000;

/**
 * Finds whoever can be asked about a run; where nobody can, starts a streams process for it, under its lock.
 *
 * Throws DataDirectoryError MR_DATA_LOCKED when a live process has the run and does not answer for it.
 */
export async function reachRun(env: Env, found: FoundRun): Promise<ReachedRun> {
  const { store, manifest } = found;
  const path = store.lockOf(manifest.pipeline, manifest.run);
  const deadline = env.clock.mono() + MOMENT_MS;
  for (;;) {
    const holder = await readLock(env, path);
    const isHeld = holder !== undefined && env.processes.isAlive(holder);
    try {
      if (!isHeld) return await openOwn(env, found);
      const address = addressIn(holder.note);
      if (address !== undefined && address.streams !== "") return await connect(env, manifest.run, address);
    } catch (error) {
      if (!isMomentary(error)) throw dataError(error, store.directory);
    }
    if (env.clock.mono() >= deadline) {
      throw new DataDirectoryError(
        "MR_DATA_LOCKED",
        `run ${manifest.run} of pipeline ${manifest.pipeline}: process ${holder?.pid ?? "(gone)"} has it locked and does not say where it can be asked; wait for it`,
      );
    }
    await env.timers.sleep(50);
  }
}

/** The run has begun, has ended, or its streams process is being restarted, between two of our steps. */
function isMomentary(error: unknown): boolean {
  if (error instanceof MillraceError)
    return error.code === "MR_DATA_LOCKED" || error.code === "MR_STREAM_CLOSED";
  const { code } = error as NodeJS.ErrnoException;
  return code === "ECONNREFUSED" || code === "ENOENT" || code === "ECONNRESET" || code === "EPIPE";
}

async function connect(env: Env, run: string, address: RunAddress): Promise<ReachedRun> {
  const socket = await env.net.connect(address.streams);
  const instance = `reader-${env.random.bytes(4).toString("hex")}`;
  const hello = {
    version: STREAM_PROTOCOL_VERSION,
    role: "control",
    stage: "",
    instance,
    secret: address.secret,
  } as const;
  const within = async <Value>(answer: Promise<Value>): Promise<Value> => {
    const timer = env.timers.after(ANSWER_MS, () => socket.destroy());
    try {
      return await answer;
    } finally {
      timer.cancel();
    }
  };
  const connection = await within(StreamConnection.greet(socket, hello, {}));
  const isLive = address.control !== "";
  return {
    isLive,
    request: (verb, ask) => within(connection.request(verb, ask)),
    // n.b. a run at work must know of it: it would complete a stage whose letters are being put back.
    replay: (stage, ids) =>
      isLive
        ? askRun(env, address.control, run, stage, ids)
        : within(connection.request("replay-letters", { stage, ids })),
    damage: [],
    close: async () => connection.end(),
  };
}

async function askRun(
  env: Env,
  path: string,
  run: string,
  stage: string,
  ids: readonly string[],
): Promise<ReplayAnswer> {
  const boot = env.random.bytes(8).toString("hex");
  const link = await connectControlSocket(env, path, { self: { name: "command", boot } });
  try {
    return await link.request("coord.dead-replay", { run, stage, ids }, { timeoutMs: REPLAY_MS });
  } finally {
    link.close();
  }
}

async function openOwn(env: Env, { store, manifest }: FoundRun): Promise<ReachedRun> {
  const directory = store.directoryOf(manifest.pipeline, manifest.run);
  if ((await store.read(manifest.pipeline, manifest.run)) === undefined) {
    throw new RunError(
      "MR_RUN_UNKNOWN",
      `run ${manifest.run} of pipeline ${manifest.pipeline}: it has been removed meanwhile`,
    );
  }
  const log = join(directory, "log");
  if ((await env.disk.info(log)) === undefined) return emptyAccess;
  const lock = await acquireLock(env, store.lockOf(manifest.pipeline, manifest.run), { note: READER_NOTE });
  let runtime: string | undefined;
  const leave = async (): Promise<void> => {
    if (runtime !== undefined) await env.disk.remove(runtime);
    await lock.release();
  };
  try {
    runtime = await openRuntimeDirectory(env);
    const streams = await startStreams(env, directory, runtime, manifest.shape.durability, lock);
    return {
      isLive: false,
      request: (verb, ask) => streams.request(verb, ask),
      replay: (stage, ids) => streams.request("replay-letters", { stage, ids }),
      damage: streams.damage,
      close: async () => {
        await streams.stop();
        await leave();
      },
    };
  } catch (error) {
    await leave();
    throw error;
  }
}

async function startStreams(
  env: Env,
  directory: string,
  runtime: string,
  durability: "disk" | "process",
  lock: Lock,
): Promise<StreamsProcess> {
  const secret = env.random.bytes(16).toString("hex");
  const socket = join(runtime, "streams");
  const streams = new StreamsProcess({
    env,
    engine: { kind: "file", directory: join(directory, "log"), blobs: join(directory, "blobs"), durability },
    socket,
    secret,
    open: () => ({ streams: [] }),
    onEvent: () => undefined,
    onRestarted: () => undefined,
    onFailed: () => undefined,
    onOutput: () => undefined,
  });
  await streams.start();
  // Others who want to read meanwhile ask the same process.
  await lock.setNote(JSON.stringify({ control: "", streams: socket, secret } satisfies RunAddress));
  return streams;
}

/** Of a run that ended before it stored anything. */
const EMPTY: { [Verb in Question]: (ask: ControlRequests[Verb]["ask"]) => ControlRequests[Verb]["answer"] } =
  {
    scan: () => ({ keys: [], values: [] }),
    get: () => ({}),
    count: () => ({ count: 0 }),
    keys: () => ({ keys: [] }),
    "drop-letters": ({ ids }) => ({ dropped: 0, missing: ids }),
    "edit-letters": ({ edits }) => ({ edited: 0, changed: edits.map(({ id }) => id) }),
  };

const emptyAccess: ReachedRun = {
  isLive: false,
  request: async (verb, ask) => EMPTY[verb](ask),
  replay: async (_stage, ids) => ({ replayed: 0, missing: ids, unreadable: [] }),
  damage: [],
  close: async () => undefined,
};
