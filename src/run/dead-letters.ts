import type { Env } from "../env/env.ts";
import { RunError } from "../errors.ts";
import type { StoredDeadLetter } from "../instance/failures.ts";
import { recordKeys } from "../records/record-store.ts";
import { Frame } from "../wire/frame.ts";
import { ItemDecoder, unpackValue } from "../wire/item-codec.ts";
import { findRun, type RunQuery } from "./find-run.ts";
import { RecordsReader } from "./records-reader.ts";
import type { RunManifest } from "./run-store.ts";

/** An item that used up its attempts, with all that is known of it. */
export interface DeadLetter extends Omit<StoredDeadLetter, "frame"> {
  /** `undefined` with `raw` when the bytes cannot be decoded. */
  readonly item: unknown;
  /** The item's bytes, only when they cannot be decoded. */
  readonly raw?: Buffer;
}

export interface DeadLettersQuery extends RunQuery {
  /** Default: all stages. */
  readonly stage?: string;
}

/** Letters of a page; it ends earlier when they are large. */
const PAGE = 1_000;

/** The dead letters of a run, live or not. To be closed. */
export class DeadLetters {
  readonly manifest: RunManifest;
  readonly #reader: RecordsReader;
  readonly #stage: string | undefined;
  readonly #decoder = new ItemDecoder();

  private constructor(manifest: RunManifest, stage: string | undefined, reader: RecordsReader) {
    this.manifest = manifest;
    this.#stage = stage;
    this.#reader = reader;
  }

  /**
   * Throws RunError MR_RUN_UNKNOWN for a run or stage that is not there, DataDirectoryError for a directory that
   * cannot be used or a run that is locked. Makes nothing in a directory that is not there.
   */
  static async open(env: Env, query: DeadLettersQuery): Promise<DeadLetters> {
    const { stage } = query;
    const found = await findRun(env, query);
    const { run, pipeline, shape } = found.manifest;
    if (stage !== undefined && !shape.nodes.some((node) => node.name === stage)) {
      throw new RunError(
        "MR_RUN_UNKNOWN",
        `run ${run} of pipeline ${pipeline}: it has no stage ${JSON.stringify(stage)}; it has ${shape.nodes.map((node) => node.name).join(", ")}`,
      );
    }
    return new DeadLetters(found.manifest, stage, await RecordsReader.open(env, found));
  }

  /** What was found damaged in the run's log, for people; only known when nobody else has the run open. */
  get damage(): readonly string[] {
    return this.#reader.damage;
  }

  async count(): Promise<number> {
    return (await this.#reader.request("count", { prefix: recordKeys.deadLetters(this.#stage) })).count;
  }

  /** Letters whose records were found damaged, and set aside. */
  async countDamaged(): Promise<number> {
    const prefix = recordKeys.damaged(recordKeys.deadLetters(this.#stage));
    return (await this.#reader.request("count", { prefix })).count;
  }

  /** All letters by stage and id, a page in memory at a time. Those that are added meanwhile may be among them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<DeadLetter> {
    const prefix = recordKeys.deadLetters(this.#stage);
    let cursor: string | undefined;
    do {
      const ask = { prefix, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
      const page = await this.#reader.request("scan", ask);
      for (const value of page.values) yield this.#letterOf(value);
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** The letters with this id: one, or none, a stage. */
  async get(id: string): Promise<DeadLetter[]> {
    const stages =
      this.#stage === undefined ? this.manifest.shape.nodes.map((node) => node.name) : [this.#stage];
    const letters: DeadLetter[] = [];
    for (const stage of stages) {
      const { value } = await this.#reader.request("get", { key: recordKeys.deadLetter(stage, id) });
      if (value !== undefined) letters.push(this.#letterOf(value));
    }
    return letters;
  }

  #letterOf(value: Uint8Array): DeadLetter {
    const { frame, ...rest } = unpackValue(value) as StoredDeadLetter;
    return { ...rest, ...this.#itemOf(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)) };
  }

  #itemOf(bytes: Buffer): { item: unknown; raw?: Buffer } {
    let payload: Buffer = bytes;
    try {
      const frame = Frame.parse(bytes);
      payload = frame.payload;
      return { item: this.#decoder.for(frame.table)(payload, 0, payload.length) };
    } catch {
      return { item: undefined, raw: payload };
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}
