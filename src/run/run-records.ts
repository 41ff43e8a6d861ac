import type { Env } from "../env/env.ts";
import { readLock } from "../env/lock-file.ts";
import { MillraceError } from "../errors.ts";
import type { ReplayAnswer } from "../streams/letter-desk.ts";
import type { ControlRequests } from "../streams/protocol.ts";
import type { FoundRun } from "./find-run.ts";
import { type Question, type ReachedRun, type RecordsAccess, reachRun } from "./reach-run.ts";

/** How often a question is put again, and after how long: whoever was asked has gone, and another one comes. */
const MAX_AGAIN = 20;
const AGAIN_MS = 50;
/** How often it is looked whether a run is over. */
const OVER_MS = 100;

/**
 * The records of a run, whether somebody is at work on it or not: with a live run, its processes are asked; without
 * one, a streams process is started for the run, under its lock, and ended by `close`.
 */
export class RunRecords implements RecordsAccess {
  readonly #env: Env;
  readonly #found: FoundRun;
  readonly #onWait: (why: string) => void;
  #access: ReachedRun;

  private constructor(env: Env, found: FoundRun, onWait: (why: string) => void, access: ReachedRun) {
    this.#env = env;
    this.#found = found;
    this.#onWait = onWait;
    this.#access = access;
  }

  /**
   * `onWait` is told when something takes until the end of the run.
   * Throws DataDirectoryError MR_DATA_LOCKED when a live process has the run and does not answer for it.
   */
  static async open(env: Env, found: FoundRun, onWait: (why: string) => void): Promise<RunRecords> {
    return new RunRecords(env, found, onWait, await reachRun(env, found));
  }

  get damage(): readonly string[] {
    return this.#access.damage;
  }

  /** Whether somebody was at work on the run when it was asked last. */
  get isLive(): boolean {
    return this.#access.isLive;
  }

  request<Verb extends Question>(
    verb: Verb,
    ask: ControlRequests[Verb]["ask"],
  ): Promise<ControlRequests[Verb]["answer"]> {
    return this.#again((access) => access.request(verb, ask));
  }

  /** Puts letters back; a run that was completed is unfinished from then on. */
  replay(stage: string, ids: readonly string[]): Promise<ReplayAnswer> {
    return this.#again(async (access) => {
      if (!access.isLive) await this.#reopen();
      return await access.replay(stage, ids);
    });
  }

  /** n.b. before the first letter is put back: what is waiting must never lie in a run that counts as completed. */
  async #reopen(): Promise<void> {
    const { store, manifest } = this.#found;
    const now = await store.read(manifest.pipeline, manifest.run);
    if (now?.status === "completed") await store.write({ ...now, status: "stopped" });
  }

  /** Where the run ends meanwhile, or its streams process dies, the question is put again to what comes next. */
  async #again<Value>(ask: (access: ReachedRun) => Promise<Value>): Promise<Value> {
    for (let again = 0; ; again++) {
      try {
        return await ask(this.#access);
      } catch (error) {
        const code = error instanceof MillraceError ? error.code : undefined;
        if (code === "MR_STAGE_COMPLETED") await this.#untilOver((error as Error).message);
        else if (!isGone(code) || again >= MAX_AGAIN) throw error;
        else await this.#env.timers.sleep(AGAIN_MS);
        await this.#access.close();
        this.#access = await reachRun(this.#env, this.#found);
      }
    }
  }

  async #untilOver(why: string): Promise<void> {
    this.#onWait(why);
    const { store, manifest } = this.#found;
    for (;;) {
      const holder = await readLock(this.#env, store.lockOf(manifest.pipeline, manifest.run));
      if (holder === undefined || !this.#env.processes.isAlive(holder)) return;
      await this.#env.timers.sleep(OVER_MS);
    }
  }

  async close(): Promise<void> {
    await this.#access.close();
  }
}

function isGone(code: string | undefined): boolean {
  return code === "MR_STREAM_CLOSED" || code === "MR_UNREACHABLE_PEER";
}
