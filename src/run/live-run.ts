import { runOver } from "../definition/inputs.ts";
import type { Env, Socket } from "../env/env.ts";
import { readLock } from "../env/lock-file.ts";
import { DataDirectoryError, MillraceError } from "../errors.ts";
import type { BodyOf, CoordinatorVerb, ReplyOf } from "../mmop/messages.ts";
import { connectControlSocket } from "../mmop/socket-link.ts";
import { findRun, type RunQuery } from "./find-run.ts";
import { Pushes } from "./pushes.ts";
import { addressIn, type RunAddress } from "./run-address.ts";
import type { RunManifest, RunStore } from "./run-store.ts";

/** A run that is being started or ended says for a moment neither where it is nor that it is gone. */
const MOMENT_MS = 5_000;
/** A drain may be waited for. */
const ANSWER_MS = 60_000;

/** Whether a run's owner is alive, and where it can be asked; an owner that is starting cannot be yet. */
export async function ownerOf(
  env: Env,
  store: RunStore,
  { pipeline, run }: RunManifest,
): Promise<{ readonly pid: number; readonly address: RunAddress | undefined } | undefined> {
  const holder = await readLock(env, store.lockOf(pipeline, run));
  if (holder === undefined || !env.processes.isAlive(holder)) return undefined;
  const address = addressIn(holder.note);
  // Whoever only reads its records is not at work on it.
  if (address?.control === "") return undefined;
  return { pid: holder.pid, address };
}

/** A run that another process is at work on: it can be asked, commanded and pushed into. */
export class LiveRun {
  readonly manifest: RunManifest;
  readonly #env: Env;
  readonly #store: RunStore;
  #pushes: Pushes | undefined;

  private constructor(env: Env, store: RunStore, manifest: RunManifest) {
    this.#env = env;
    this.#store = store;
    this.manifest = manifest;
  }

  /**
   * The run that is meant; without a name the newest that is at work, of the pipeline.
   *
   * Throws RunError MR_RUN_UNKNOWN, and MR_RUN_OVER when nobody is at work on it.
   */
  static async find(env: Env, query: RunQuery): Promise<LiveRun> {
    const { store, manifest } = await findRun(env, query);
    const runs = query.run === undefined ? await store.list(query.pipeline) : [manifest];
    for (const run of runs) {
      if ((await ownerOf(env, store, run)) !== undefined) return new LiveRun(env, store, run);
    }
    throw runOver(manifest.run, manifest.status === "running" ? "interrupted" : manifest.status);
  }

  async #address(): Promise<RunAddress> {
    const { run, pipeline } = this.manifest;
    const deadline = this.#env.clock.mono() + MOMENT_MS;
    for (;;) {
      const owner = await ownerOf(this.#env, this.#store, this.manifest);
      if (owner === undefined) {
        const now = await this.#store.read(pipeline, run);
        throw runOver(run, now === undefined || now.status === "running" ? "interrupted" : now.status);
      }
      if (owner.address !== undefined) return owner.address;
      if (this.#env.clock.mono() >= deadline) {
        throw new DataDirectoryError(
          "MR_DATA_LOCKED",
          `run ${run} of pipeline ${pipeline}: process ${owner.pid} has it locked and does not say where it can be asked; wait for it`,
        );
      }
      await this.#env.timers.sleep(50);
    }
  }

  /** Asks the run's owner. Rejects with its error, RunError MR_RUN_OVER when it has ended, and as a control link does. */
  async request<V extends CoordinatorVerb>(verb: V, body: BodyOf<V>): Promise<ReplyOf<V>> {
    const boot = this.#env.random.bytes(8).toString("hex");
    for (;;) {
      const { control } = await this.#address();
      const link = await connectControlSocket(this.#env, control, { self: { name: "command", boot } }).catch(
        async (error: unknown) => {
          if (!isGone(error)) throw error;
          // It has ended between two of our steps; or its owner is alive, and something else is wrong.
          await this.#env.timers.sleep(100);
          if ((await this.#address()).control === control) throw error;
          return undefined;
        },
      );
      if (link === undefined) continue;
      try {
        return await link.request(verb, body, { timeoutMs: ANSWER_MS });
      } finally {
        link.close();
      }
    }
  }

  /** Takes items for its push sources; they wait for room. */
  get pushes(): Pushes {
    const connect = async (): Promise<{ readonly socket: Socket; readonly secret: string }> => {
      const { streams, secret } = await this.#address();
      return { socket: await this.#env.net.connect(streams), secret };
    };
    this.#pushes ??= new Pushes(this.#env, this.manifest.shape, connect, { isPatient: true });
    return this.#pushes;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof MillraceError && error.code === "MR_UNREACHABLE_PEER";
}
