import { recordKeys } from "../records/record-store.ts";
import { packValue, unpackValue } from "../wire/packing.ts";
import type { RecordLink } from "./record-link.ts";

/** A value up to this size is one record; a larger one is cut, since what travels as one message is limited. */
const PART_BYTES = 8 * 1024 * 1024;

/** The record that is read first: the value, or how to put it together. */
type Head = { readonly value: Uint8Array } | { readonly generation: number; readonly parts: number };

/** Asks for one record. */
export type GetRecord = (key: string) => Promise<Uint8Array | undefined>;

const partKey = (stage: string, name: string, generation: number, part: number): string =>
  recordKeys.ofStage(stage, `${name}-part/${generation}/${part}`);

/** Reads what {@link LargeRecord} has written; undefined when there is none. */
export async function readLargeRecord(
  get: GetRecord,
  stage: string,
  name: string,
): Promise<Buffer | undefined> {
  const stored = await get(recordKeys.ofStage(stage, name));
  if (stored === undefined) return undefined;
  const head = unpackValue(stored) as Head;
  if ("value" in head) return Buffer.from(head.value);
  const parts: Uint8Array[] = [];
  for (let part = 0; part < head.parts; part++) {
    const bytes = await get(partKey(stage, name, head.generation, part));
    if (bytes === undefined) throw new Error(`record ${name}: part ${part} is missing`);
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

/** A value of any size in the records of a stage, replaced as a whole. */
export class LargeRecord {
  readonly #link: RecordLink;
  readonly #stage: string;
  readonly #name: string;
  #generation = 0;
  #parts = 0;

  constructor(link: RecordLink, stage: string, name: string) {
    this.#link = link;
    this.#stage = stage;
    this.#name = name;
  }

  async read(): Promise<Buffer | undefined> {
    const head = await this.#link.get(recordKeys.ofStage(this.#stage, this.#name));
    if (head === undefined) return undefined;
    const known = unpackValue(head) as Head;
    if ("generation" in known) {
      this.#generation = known.generation;
      this.#parts = known.parts;
    }
    return await readLargeRecord((key) => this.#link.get(key), this.#stage, this.#name);
  }

  /** Puts the value into the transaction in the making; what does not fit there is stored before, to no effect yet. */
  async write(bytes: Buffer): Promise<void> {
    const { transactions } = this.#link;
    const key = recordKeys.ofStage(this.#stage, this.#name);
    if (bytes.length <= PART_BYTES) {
      this.remove();
      transactions.record({ key, value: packValue({ value: bytes } satisfies Head) });
      return;
    }
    const [former, formerParts] = [this.#generation, this.#parts];
    const generation = former + 1;
    const parts = Math.ceil(bytes.length / PART_BYTES);
    for (let part = 0; part < parts; part++) {
      const value = bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
      transactions.record({ key: partKey(this.#stage, this.#name, generation, part), value });
      await this.#link.commit();
    }
    for (let part = 0; part < formerParts; part++)
      transactions.record({ key: partKey(this.#stage, this.#name, former, part), value: undefined });
    transactions.record({ key, value: packValue({ generation, parts } satisfies Head) });
    this.#generation = generation;
    this.#parts = parts;
  }

  /** Removes it, in the transaction in the making. */
  remove(): void {
    const { transactions } = this.#link;
    for (let part = 0; part < this.#parts; part++)
      transactions.record({
        key: partKey(this.#stage, this.#name, this.#generation, part),
        value: undefined,
      });
    this.#parts = 0;
    transactions.record({ key: recordKeys.ofStage(this.#stage, this.#name), value: undefined });
  }
}
