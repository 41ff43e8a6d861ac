import type { Pacing } from "../../definition/pacing.ts";
import type { Env } from "../../env/env.ts";
import type { StreamEngine, Transaction } from "../contract.ts";
import type { StreamEvent } from "../protocol.ts";
import { Dedupe } from "./dedupe.ts";

/** What the stages of a run have asked for by their options of pacing, and what comes of it. */
export class Pacer {
  readonly #env: Env;
  readonly #engine: StreamEngine;
  readonly #tell: (event: StreamEvent) => void;
  readonly #dedupe = new Dedupe();

  constructor(env: Env, engine: StreamEngine, tell: (event: StreamEvent) => void) {
    this.#env = env;
    this.#engine = engine;
    this.#tell = tell;
  }

  /** In force when this resolves: before an item of these stages is taken. */
  async open(pacing: Readonly<Record<string, Pacing>>): Promise<void> {
    for (const [stage, { dedupe }] of Object.entries(pacing)) {
      if (dedupe === undefined || this.#dedupe.has(stage)) continue;
      await this.#dedupe.open(stage, dedupe.windowMs, this.#env.clock, this.#engine.records, (keys) => {
        const message = `its dedupe remembers too many items: the oldest ${keys} are forgotten before windowMs is over`;
        this.#tell({ kind: "notice", stage, message });
      });
    }
  }

  /**
   * What is to be done of a transaction that places items: see {@link Dedupe.admit}. A `push` asks too; a replayed
   * dead letter does not.
   */
  admit(transaction: Transaction): Transaction {
    return this.#dedupe.admit(transaction);
  }
}
