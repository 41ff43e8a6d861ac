import { join } from "node:path";
import { StreamsProcess } from "../agent/streams-process.ts";
import type { Env } from "../env/env.ts";
import { acquireLock, type Lock, readLock } from "../env/lock-file.ts";
import { DataDirectoryError, MillraceError, RunError, StreamError } from "../errors.ts";
import { StreamConnection } from "../streams/connection.ts";
import { type ControlRequests, STREAM_PROTOCOL_VERSION } from "../streams/protocol.ts";
import { dataError } from "./data-directory.ts";
import type { FoundRun } from "./find-run.ts";
import { addressIn, READER_NOTE, type RunAddress } from "./run-address.ts";
import { openRuntimeDirectory } from "./runtime-directory.ts";

type Question = "scan" | "get" | "count";

/** Who asks a streams process for records: the run's own, over its socket, or one started for the purpose. */
interface Access {
  request<Verb extends Question>(
    verb: Verb,
    ask: ControlRequests[Verb]["ask"],
  ): Promise<ControlRequests[Verb]["answer"]>;
  /** What was found damaged when the log was opened for this purpose. */
  readonly damage: readonly string[];
  close(): Promise<void>;
}

/** A run that is being started or ended says for a moment neither where it is nor that it is gone. */
const MOMENT_MS = 5_000;
const ANSWER_MS = 10_000;
const MAX_REOPENED = 5;

/**
 * Reads the records of a run, whether somebody is at work on it or not: with a live run, its streams process is
 * asked; without one, a streams process is started for the run, under its lock, and ended by `close`.
 */
export class RecordsReader {
  readonly #env: Env;
  readonly #found: FoundRun;
  #access: Access;

  private constructor(env: Env, found: FoundRun, access: Access) {
    this.#env = env;
    this.#found = found;
    this.#access = access;
  }

  /** Throws DataDirectoryError MR_DATA_LOCKED when a live process has the run and does not answer for it. */
  static async open(env: Env, found: FoundRun): Promise<RecordsReader> {
    return new RecordsReader(env, found, await reach(env, found));
  }

  get damage(): readonly string[] {
    return this.#access.damage;
  }

  /** Asks; where the run ends meanwhile, or its streams process dies, the question is put again to what comes next. */
  async request<Verb extends Question>(
    verb: Verb,
    ask: ControlRequests[Verb]["ask"],
  ): Promise<ControlRequests[Verb]["answer"]> {
    for (let reopened = 0; ; reopened++) {
      try {
        return await this.#access.request(verb, ask);
      } catch (error) {
        const isGone = error instanceof StreamError && error.code === "MR_STREAM_CLOSED";
        if (!isGone || reopened >= MAX_REOPENED) throw error;
        await this.#access.close();
        this.#access = await reach(this.#env, this.#found);
      }
    }
  }

  async close(): Promise<void> {
    await this.#access.close();
  }
}

async function reach(env: Env, found: FoundRun): Promise<Access> {
  const { store, manifest } = found;
  const path = store.lockOf(manifest.pipeline, manifest.run);
  const deadline = env.clock.mono() + MOMENT_MS;
  for (;;) {
    const holder = await readLock(env, path);
    const isHeld = holder !== undefined && env.processes.isAlive(holder);
    try {
      if (!isHeld) return await openOwn(env, found);
      const address = addressIn(holder.note);
      if (address !== undefined && address.streams !== "") return await connect(env, address);
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

async function connect(env: Env, address: RunAddress): Promise<Access> {
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
  return {
    request: (verb, ask) => within(connection.request(verb, ask)),
    damage: [],
    close: async () => connection.end(),
  };
}

async function openOwn(env: Env, { store, manifest }: FoundRun): Promise<Access> {
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
    const streams = await startStreams(env, log, runtime, manifest.shape.durability, lock);
    return {
      request: (verb, ask) => streams.request(verb, ask),
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
    engine: { kind: "file", directory, durability },
    socket,
    secret,
    streams: [],
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
const EMPTY = { scan: { keys: [], values: [] }, get: {}, count: { count: 0 } } satisfies {
  [Verb in Question]: ControlRequests[Verb]["answer"];
};

const emptyAccess: Access = {
  request: async (verb) => EMPTY[verb],
  damage: [],
  close: async () => undefined,
};
