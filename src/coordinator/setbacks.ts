import type { NodeShape } from "../definition/shape.ts";
import type { ErrorInfo } from "../errors.ts";

/** Setups that fail in a row before the run does. */
const MAX_SETUP_FAILURES = 5;
/** Deaths in a row of processes that settled nothing. */
const MAX_IDLE_DEATHS = 10;

/** Faults of a source's input: they are the same when it is started again. */
const LASTING = ["MR_INPUT_NOT_FOUND", "MR_INPUT_CHANGED", "MR_BAD_ROW"] as const;

type Reason =
  | (typeof LASTING)[number]
  | "MR_SOURCE_FAILED"
  | "MR_INPUT_UNREADABLE"
  | "MR_SETUP_FAILED"
  | "MR_INSTANCE_FAILING"
  | "MR_COMBINE_FAILED";

export interface Setback {
  readonly stage: string;
  readonly cause: string;
  readonly error: ErrorInfo | undefined;
  /** Sources: something was yielded before it threw. */
  readonly progressed: boolean;
  /** Items settled in the stage so far: a death after some progress begins a new row. */
  readonly settled: number;
  readonly what: string;
}

/** Counts what goes wrong in a row, and says when it is enough to give the run up. */
export class Setbacks {
  readonly #pipeline: string;
  readonly #rows = new Map<string, { count: number; settled: number }>();

  constructor(pipeline: string) {
    this.#pipeline = pipeline;
  }

  /** The reason why the run has failed, or undefined while it may go on. */
  add(node: NodeShape, setback: Setback): { code: Reason; message: string } | undefined {
    const { stage, cause } = setback;
    const key = `${stage}/${cause}`;
    const row = this.#rows.get(key) ?? { count: 0, settled: setback.settled };
    const hasProgressed = setback.progressed || setback.settled > row.settled;
    row.count = hasProgressed ? 1 : row.count + 1;
    row.settled = setback.settled;
    this.#rows.set(key, row);
    const last = setback.error === undefined ? setback.what : sayError(setback.error);
    switch (cause) {
      case "source-failed": {
        const lasting = LASTING.find((code) => code === setback.error?.code);
        if (lasting !== undefined)
          return { code: lasting, message: `${this.#sourceName(node)}: ${setback.error?.message}` };
        return row.count < node.settings.retry.attempts
          ? undefined
          : {
              // A disk may have been at fault, so that it was tried again; what there is to do stands under this code.
              code:
                setback.error?.code === "MR_INPUT_UNREADABLE" ? "MR_INPUT_UNREADABLE" : "MR_SOURCE_FAILED",
              message: `${this.#sourceName(node)}: it threw ${row.count} times in a row; last: ${last}`,
            };
      }
      case "setup-failed":
        return row.count < MAX_SETUP_FAILURES
          ? undefined
          : {
              code: "MR_SETUP_FAILED",
              message: `stage ${stage}: its setup failed ${row.count} times in a row; last: ${last}`,
            };
      case "hung":
        // It would hang again, each time for as long as a call may take.
        if (node.part === "combine") {
          const { timeoutMs } = node.settings;
          const message = `combine of job ${this.#pipeline}: it did not settle within timeoutMs ${timeoutMs} ms and its grace`;
          return { code: "MR_COMBINE_FAILED", message };
        }
        return this.#idleDeaths(stage, row.count, last);
      case "crashed":
        return this.#idleDeaths(stage, row.count, last);
      default:
        return undefined;
    }
  }

  #idleDeaths(stage: string, count: number, last: string): { code: Reason; message: string } | undefined {
    if (count < MAX_IDLE_DEATHS) return undefined;
    const message = `stage ${stage}: its process ended ${count} times in a row without settling an item; last: ${last}`;
    return { code: "MR_INSTANCE_FAILING", message };
  }

  /** A job's split is a source to the run, and a function of theirs to people. */
  #sourceName({ name, part }: NodeShape): string {
    return part === "split" ? `split of job ${this.#pipeline}` : `source ${name}`;
  }

  /** An instance has begun to work: its setup is good. */
  started(stage: string): void {
    this.#rows.delete(`${stage}/setup-failed`);
  }
}

/** With the code of an error of ours: `millrace explain` knows what to do about it. */
function sayError({ name, code, message }: ErrorInfo): string {
  return `${name}${code?.startsWith("MR_") === true ? ` ${code}` : ""}: ${message}`;
}
