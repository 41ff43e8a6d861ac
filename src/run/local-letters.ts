import { pathToFileURL } from "node:url";
import { EditProcess } from "../bundle/edit-process.ts";
import { runOver } from "../definition/inputs.ts";
import { hasStream } from "../definition/shape.ts";
import type { Env, Timer } from "../env/env.ts";
import { MillraceError } from "../errors.ts";
import type { StoredDeadLetter } from "../records/dead-letter.ts";
import type { ReplayAnswer } from "../streams/letter-desk.ts";
import { packValue } from "../wire/packing.ts";
import { replaceItem } from "../wire/replace-item.ts";
import { DeadLetters, type ItemCheck } from "./dead-letters.ts";
import type { FoundRun } from "./find-run.ts";
import type { RecordsAccess } from "./reach-run.ts";
import { RunRecords } from "./run-records.ts";

export interface LocalLettersParts {
  readonly env: Env;
  readonly found: FoundRun;
  /** False: its data goes with it. */
  readonly isKept: boolean;
  /** The run, for as long as it is one. */
  readonly live: RecordsAccess;
  readonly controller: { readonly isOver: boolean; readonly status: string };
  /** Resolves when the run has let go of its data. */
  readonly over: Promise<void>;
}

/** The dead letters of a run of this process, while it lives and afterwards. */
export function localLetters(parts: LocalLettersParts): DeadLetters {
  const { nodes } = parts.found.manifest.shape;
  const stages = nodes.filter(hasStream).map((node) => node.name);
  const access = new LocalAccess(parts);
  return new DeadLetters({ clock: parts.env.clock, stages, access, check: checkOf(parts) });
}

/** How long the records of a run that is over stay open for the next question. */
const IDLE_MS = 500;
const GONE: ReadonlySet<string> = new Set(["MR_STREAM_CLOSED", "MR_UNREACHABLE_PEER", "MR_STAGE_COMPLETED"]);

class LocalAccess implements RecordsAccess {
  readonly #parts: LocalLettersParts;
  #isOver = false;
  #late: Promise<RunRecords> | undefined;
  #asking = 0;
  #idle: Timer | undefined;

  constructor(parts: LocalLettersParts) {
    this.#parts = parts;
    void parts.over.then(() => {
      this.#isOver = true;
    });
  }

  request: RecordsAccess["request"] = (verb, ask) => this.#ask((access) => access.request(verb, ask));

  replay(stage: string, ids: readonly string[]): Promise<ReplayAnswer> {
    return this.#ask((access) => access.replay(stage, ids));
  }

  async #ask<Value>(question: (access: RecordsAccess) => Promise<Value>): Promise<Value> {
    const { live, controller, over, isKept, found } = this.#parts;
    if (!this.#isOver) {
      try {
        return await question(live);
      } catch (error) {
        // n.b. a stage that has completed in a run that goes on is for the caller to wait for.
        const isGone = error instanceof MillraceError && GONE.has(error.code) && controller.isOver;
        if (!isGone) throw error;
        await over;
      }
    }
    if (!isKept) throw runOver(found.manifest.run, controller.status);
    return await this.#askLate(question);
  }

  async #askLate<Value>(question: (access: RecordsAccess) => Promise<Value>): Promise<Value> {
    this.#asking++;
    this.#idle?.cancel();
    try {
      this.#late ??= RunRecords.open(this.#parts.env, this.#parts.found, () => undefined);
      return await question(await this.#late);
    } catch (error) {
      this.#late = undefined;
      throw error;
    } finally {
      this.#asking--;
      if (this.#asking === 0) this.#idle = this.#parts.env.timers.after(IDLE_MS, () => this.#close());
    }
  }

  #close(): void {
    const late = this.#late;
    this.#late = undefined;
    void late?.then((records) => records.close()).catch(() => undefined);
  }
}

/** The schemas are in the pipeline's module, which this process does not import. */
function checkOf({ env, found }: LocalLettersParts): ItemCheck {
  const { store, manifest } = found;
  return async (stage, items) => {
    const node = manifest.shape.nodes.find(({ name }) => name === stage);
    if (node?.settings.hasSchema !== true || items.length === 0) return;
    const child = await EditProcess.open(env, {
      pipeline: `${pathToFileURL(manifest.module).href}#${manifest.exportName}`,
      outDirectory: store.bundles,
    });
    try {
      const records = items.map(({ id, item }) =>
        packValue({ id, frame: replaceItem(Buffer.alloc(0), item, {}) } satisfies Partial<StoredDeadLetter>),
      );
      await child.edit(stage, records);
    } finally {
      child.close();
    }
  };
}
