import { crc32 } from "node:zlib";
import { isTask, TASK } from "../definition/task.ts";
import { EncodingError, MillraceError, StageError } from "../errors.ts";
import type { Outputs } from "./outputs.ts";

/** Edges of split, in the order of the definition. */
const TO_PROCESS = 0;
const TO_COMBINE = 1;
/** Work that one frame of tasks may hold, where their cost is known, milliseconds. */
const FRAME_COST_MS = 200;
/** The ids of tasks count no further. */
const MAX_TASKS = 2 ** 31;

/** How far split is: what was yielded before is stored. */
interface SplitToken {
  readonly position: number;
  /** Of the bytes of all tasks so far. */
  readonly hash: number;
}

/** Stands for the position of the word that there are no more tasks. */
export const END_POSITION = -1;

/**
 * Takes what a job's split yields: tasks, at positions 0, 1, 2 …
 *
 * T1 A transaction that holds tasks holds the token that covers all of them: a task is stored once.
 * T2 What an earlier life has stored is yielded again and passed over; that it is the same is seen by its hash.
 */
export class SplitTasks {
  readonly #subject: string;
  #position = 0;
  #hash = 0;
  #table: Buffer | undefined;
  #stored: SplitToken = { position: 0, hash: 0 };
  /** Milliseconds of work in the frame that is being made, as far as they are known. */
  #cost = 0;

  constructor(job: string) {
    this.#subject = `split of job ${job}`;
  }

  resume(token: unknown): void {
    this.#stored = token as SplitToken;
  }

  /** Whether there is anything that the token of an earlier life does not cover. */
  get hasTaken(): boolean {
    return this.#position > this.#stored.position;
  }

  get token(): SplitToken {
    return { position: this.#position, hash: this.#hash };
  }

  /** Gives false for a task that is stored already. Throws errors of scope `run`. */
  take(yielded: unknown, outputs: Outputs): boolean {
    const { data, cost } = isTask(yielded) ? yielded[TASK] : { data: yielded, cost: undefined };
    const position = this.#position;
    if (position >= MAX_TASKS) {
      throw new StageError("MR_JOB_FAILED", `${this.#subject}: a job has at most ${MAX_TASKS} tasks`, {
        scope: "run",
      });
    }
    let bytes: Uint8Array;
    try {
      bytes = outputs.encode(data);
    } catch (error) {
      throw this.#notEncodable(error);
    }
    this.#hash = crc32(bytes, this.#hash);
    if (outputs.table !== this.#table) {
      // The names of keys are not among the bytes.
      this.#table = outputs.table;
      this.#hash = crc32(outputs.table, this.#hash);
    }
    this.#position++;
    if (position < this.#stored.position) {
      outputs.settle();
      if (this.#position === this.#stored.position && this.#hash !== this.#stored.hash) {
        throw this.#notDeterministic(`its first ${this.#position} tasks are not those of before`);
      }
      return false;
    }
    this.#cost += cost ?? 0;
    const closes = cost !== undefined && this.#cost > FRAME_COST_MS;
    if (closes) this.#cost = cost;
    outputs.placeAt(TO_PROCESS, data, bytes, { position, closes, ...(cost !== undefined && { cost }) });
    return true;
  }

  /** There are no more tasks: tells combine how many there were. */
  end(outputs: Outputs): void {
    if (this.#position < this.#stored.position) {
      throw this.#notDeterministic(
        `it ended after ${this.#position} tasks, and had yielded ${this.#stored.position} before`,
      );
    }
    const end = [END_POSITION, this.#position];
    outputs.placeAt(TO_COMBINE, end, outputs.encode(end), { position: END_POSITION });
  }

  #notDeterministic(what: string): StageError {
    return new StageError(
      "MR_SPLIT_NOT_DETERMINISTIC",
      `${this.#subject}: at position ${this.#position}: ${what}; make it yield the same tasks every time, or use --new`,
      { scope: "run", details: { position: this.#position } },
    );
  }

  #notEncodable(error: unknown): unknown {
    if (!(error instanceof MillraceError)) return error;
    return new EncodingError(error.code, `${this.#subject}: task ${this.#position}: ${error.message}`, {
      scope: "run",
      details: { ...error.details, position: this.#position },
      cause: error,
    });
  }
}
