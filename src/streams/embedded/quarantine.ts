import type { Env } from "../../env/env.ts";
import { recordKeys } from "../../records/record-store.ts";
import { NOTHING, type Settlement, type Transaction } from "../contract.ts";
import { handleOf, laneOf, stageOf } from "../lanes.ts";
import type { Ledger } from "./ledger.ts";

/** Called once it is durable. */
export type QuarantineListener = (stream: string, frame: number, items: number, problem: string) => void;

/** What cannot be handed out is settled and set aside: it must not stand in the way of the rest. */
export class Quarantine {
  readonly #env: Env;
  readonly #ledger: Ledger;
  readonly #transact: (transaction: Transaction) => Promise<void>;
  readonly #listeners: QuarantineListener[] = [];

  constructor(env: Env, ledger: Ledger, transact: (transaction: Transaction) => Promise<void>) {
    this.#env = env;
    this.#ledger = ledger;
    this.#transact = transact;
  }

  onQuarantine(listener: QuarantineListener): void {
    this.#listeners.push(listener);
  }

  /** Sets aside what is left of frames that cannot be read; `raw` is what there is of them. */
  async take(stream: string, frames: readonly number[], problem: string, raw: Buffer): Promise<void> {
    const settlements: Settlement[] = [];
    let items = 0;
    for (const frame of frames) {
      for (const [from, to] of this.#ledger.pendingOf(stream, frame)) {
        settlements.push({ stream, frame, from, to, outcome: "quarantined" });
        items += to - from;
      }
    }
    const [first] = settlements;
    if (first === undefined) return;
    const { frame } = first;
    const records = [this.#record(stream, frame, items, problem, raw)];
    await this.#transact({ ...NOTHING, settlements, records });
    this.#tell(stream, frame, items, problem);
  }

  /** Sets aside what is no frame of ours, under a number of its own, as one item that came and was quarantined. */
  async takeForeign(stream: string, frame: number, problem: string, raw: Buffer): Promise<void> {
    const stage = stageOf(stream);
    await this.#transact({
      ...NOTHING,
      records: [this.#record(stream, frame, 1, problem, raw)],
      counts: [
        [stage, "accepted", 1],
        [stage, "quarantined", 1],
      ],
    });
    this.#tell(stream, frame, 1, problem);
  }

  #tell(stream: string, frame: number, items: number, problem: string): void {
    for (const listener of this.#listeners) listener(stream, frame, items, problem);
  }

  #record(
    stream: string,
    frame: number,
    items: number,
    problem: string,
    raw: Buffer,
  ): Transaction["records"][0] {
    // n.b. by the stage, as everything that people look for: the number is unique among its lanes.
    const stage = stageOf(stream);
    const number = handleOf(laneOf(stream), frame);
    const at = this.#env.clock.now();
    const head = Buffer.from(`${JSON.stringify({ stream: stage, frame: number, items, problem, at })}\n`);
    return { key: recordKeys.quarantine(stage, number), value: Buffer.concat([head, raw]) };
  }
}
