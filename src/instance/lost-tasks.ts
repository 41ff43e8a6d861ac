import type { JobDefinition } from "../definition/shape.ts";
import { errorInfo, RunError } from "../errors.ts";
import { recordKeys } from "../records/record-store.ts";
import { laneOfHandle } from "../streams/lanes.ts";
import { encodeStandalone } from "../wire/item-codec.ts";
import { packValue } from "../wire/packing.ts";
import type { Outputs } from "./outputs.ts";
import type { Transactions } from "./transactions.ts";
import type { ItemRef } from "./work.ts";

/** A task that fails its job is put back for the next life of the run: this one ends long before. */
const PUT_BACK_MS = 1_000;

/** What becomes of a job's tasks that have failed for good. */
export class LostTasks {
  /** Whether such a task ends the run. */
  readonly failsRun: boolean;
  readonly #job: string;
  readonly #outputs: Outputs;
  readonly #transactions: Transactions;
  readonly #onRunFailed: (error: Error) => void;

  constructor(
    { onTaskFailure }: JobDefinition,
    job: string,
    outputs: Outputs,
    transactions: Transactions,
    onRunFailed: (error: Error) => void,
  ) {
    this.failsRun = onTaskFailure === "fail";
    this.#job = job;
    this.#outputs = outputs;
    this.#transactions = transactions;
    this.#onRunFailed = onRunFailed;
  }

  /** Tells combine, in the transaction of the dead letter, that there will be no result. */
  skip({ range, index }: ItemRef): void {
    this.#outputs.place([range.positionOf(index)]);
  }

  /** Puts the task back as if it had never been tried, writes down why, and ends the run. */
  failRun({ range, index }: ItemRef, error: Error): void {
    const position = range.positionOf(index);
    // n.b. as a new frame without its history, and without what is held against it: the cause may be mended when the
    // run is resumed, and then it is to have all its attempts.
    const bytes = range.frame.pick([index], () => ({ history: [] }));
    this.#transactions.settle(range.number, range.offset + index, "retried");
    this.#transactions.retry({ bytes, count: 1, delayMs: PUT_BACK_MS, lane: laneOfHandle(range.number) });
    let input: Buffer | undefined;
    try {
      input = encodeStandalone(range.item(index));
    } catch {
      // It cannot be decoded: that is the error.
    }
    const failure: StoredTaskFailure = { position, input, error: errorInfo(error) };
    const key = recordKeys.ofStage("process", "failure");
    this.#transactions.record({ key, value: packValue(failure) });
    const message = `job ${this.#job}: task ${position} has failed: ${error.name}: ${error.message}`;
    const failed = new RunError("MR_JOB_FAILED", message, { scope: "run", details: { position } });
    failed.stack = error.stack ?? failed.stack ?? "";
    this.#onRunFailed(failed);
  }
}

/** A task that has failed its job, as it is stored. */
export interface StoredTaskFailure {
  readonly position: number;
  /** Encoded by itself. */
  readonly input: Uint8Array | undefined;
  readonly error: ReturnType<typeof errorInfo>;
}
