import { resolve } from "node:path";
import { entryPath } from "../env/entry.ts";
import type { ChildProcess, Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { unpackError } from "./describe-messages.ts";
import { type EditModule, type EditOrder, type EditPage, isEditMessage } from "./edit-messages.ts";
import { moduleAddress } from "./module-address.ts";

export interface EditProcessOptions {
  /** A path, or a file: URL, with `#export`: a function `(item, letter) => item`. Without it items are only checked. */
  readonly editor?: string;
  /** The pipeline's module: its schemas are what items must fit. */
  readonly pipeline?: string;
  /** Where bundles are kept; made when missing. */
  readonly outDirectory: string;
  /** How long a page of letters may take, milliseconds; default 60 000. */
  readonly timeoutMs?: number;
  readonly onOutput?: (stream: "stdout" | "stderr", line: string) => void;
}

const TIMEOUT_MS = 60_000;
const NODE_FLAGS = ["--enable-source-maps", "--experimental-import-meta-resolve"];

interface Answer {
  readonly hash?: string;
  readonly frames?: readonly (string | null)[];
}

/** Runs the user's code about dead letters in a process of its own: this one never runs user code. */
export class EditProcess {
  /** SHA-256 of the editor with all that it imports; undefined without one. */
  hash: string | undefined;
  readonly #env: Env;
  readonly #timeoutMs: number;
  readonly #shown: string;
  #child: ChildProcess | undefined;
  #answer: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  #gone: Error | undefined;

  private constructor(env: Env, shown: string, timeoutMs: number) {
    this.#env = env;
    this.#shown = shown;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Starts it, with the modules imported. To be closed.
   *
   * @throws UsageError MR_MODULE_NOT_FOUND, MR_MODULE_INVALID, MR_NOTHING_TO_RUN, MR_EDIT_FAILED.
   */
  static async open(env: Env, options: EditProcessOptions): Promise<EditProcess> {
    const editor = await moduleOf(env, options.editor);
    const pipeline = await moduleOf(env, options.pipeline);
    const order: EditOrder = {
      outDirectory: resolve(options.outDirectory),
      ...(editor === undefined ? {} : { editor }),
      ...(pipeline === undefined ? {} : { pipeline }),
    };
    const shown = editor?.shown ?? pipeline?.shown ?? "edit";
    const started = new EditProcess(env, shown, options.timeoutMs ?? TIMEOUT_MS);
    started.#child = await env.processes.spawn({
      module: entryPath("bundle/edit-child.js"),
      nodeFlags: NODE_FLAGS,
      ...(options.onOutput === undefined ? {} : { onOutput: options.onOutput }),
      onMessage: (message) => {
        if (!isEditMessage(message)) return;
        const { kind } = message;
        if (kind === "failed") started.#answer?.reject(unpackError(message.error));
        else started.#answer?.resolve(message);
      },
      onExit: ({ code, signal }) => started.#lost(`its process ended (${signal ?? `exit code ${code}`})`),
    });
    try {
      started.hash = (await started.#ask(order)).hash;
    } catch (error) {
      started.close();
      throw error;
    }
    return started;
  }

  /**
   * Edits and checks letters of one stage, given as their records; gives a frame for each, undefined for one that
   * stays as it is. Throws MR_EDIT_FAILED, MR_ITEM_INVALID, and what keeps an item from being stored.
   */
  async edit(stage: string, records: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    const texts = records.map((record) =>
      Buffer.from(record.buffer, record.byteOffset, record.byteLength).toString("base64"),
    );
    const { frames = [] } = await this.#ask({ stage, records: texts } satisfies EditPage);
    return frames.map((frame) => (frame === null ? undefined : Buffer.from(frame, "base64")));
  }

  async #ask(message: EditOrder | EditPage): Promise<Answer> {
    if (this.#gone !== undefined) throw this.#gone;
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#answer = { resolve, reject };
    });
    const limit = this.#env.timers.after(this.#timeoutMs, () => {
      this.#lost(`it was not done after ${this.#timeoutMs} ms`);
      this.close();
    });
    this.#child?.send(message);
    try {
      return await answer;
    } finally {
      limit.cancel();
    }
  }

  #lost(why: string): void {
    this.#gone ??= new UsageError("MR_EDIT_FAILED", `${this.#shown}: ${why}`);
    this.#answer?.reject(this.#gone);
  }

  close(): void {
    this.#child?.kill("SIGKILL");
  }
}

async function moduleOf(env: Env, module: string | undefined): Promise<EditModule | undefined> {
  if (module === undefined) return undefined;
  const { path, shown, exportName } = await moduleAddress(env.disk, module);
  return { path, shown, ...(exportName === undefined ? {} : { exportName }) };
}
