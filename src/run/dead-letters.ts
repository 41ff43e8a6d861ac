import type {
  DeadLetter,
  DeadLetterChange,
  DeadLetterChoice,
  DeadLetterDesk,
  DeadLetterFilter,
  DeadLetterList,
} from "../definition/dead-letter.ts";
import type { Clock } from "../env/env.ts";
import type { StoredDeadLetter } from "../records/dead-letter.ts";
import { recordKeys } from "../records/record-store.ts";
import { Frame } from "../wire/frame.ts";
import { ItemDecoder } from "../wire/item-codec.ts";
import { packValue, unpackValue } from "../wire/packing.ts";
import { onlyItem, replaceItem } from "../wire/replace-item.ts";
import { filterOf, isByKey, matches } from "./letter-choice.ts";
import { letterList } from "./letter-list.ts";
import type { RecordsAccess } from "./reach-run.ts";

/** Letters of a page that is read; it ends earlier when they are large. */
const PAGE = 1_000;
/** Ids that are dealt with in one step. */
const STEP = 500;
/** Bytes of letters that are edited in one step. */
const STEP_BYTES = 2 * 1024 * 1024;

/** A letter as it was read. */
export interface ReadLetter {
  readonly letter: DeadLetter;
  readonly stored: StoredDeadLetter;
  readonly record: Uint8Array;
}

/** Other items for letters: the frame of each, or undefined for one that stays. */
export type EditStep = (letters: readonly ReadLetter[]) => Promise<readonly (Uint8Array | undefined)[]>;

/** Refuses items that a stage's schema does not accept: throws UsageError MR_ITEM_INVALID. */
export type ItemCheck = (stage: string, items: readonly { id: string; item: unknown }[]) => Promise<void>;

export interface DeadLettersParts {
  readonly clock: Clock;
  /** Stages and sinks of the run's pipeline. */
  readonly stages: readonly string[];
  readonly access: RecordsAccess;
  readonly check?: ItemCheck;
}

/** The dead letters of a run, whoever is at work on it. */
export class DeadLetters implements DeadLetterDesk {
  readonly #parts: DeadLettersParts;
  readonly #decoder = new ItemDecoder();

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
  }

  async count(stage?: string): Promise<number> {
    const prefix = recordKeys.deadLetters(stage);
    return (await this.#parts.access.request("count", { prefix })).count;
  }

  /** Letters whose records were found damaged, and set aside. */
  async countDamaged(stage?: string): Promise<number> {
    const prefix = recordKeys.damaged(recordKeys.deadLetters(stage));
    return (await this.#parts.access.request("count", { prefix })).count;
  }

  async get(id: string): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    for await (const { letter } of this.read({ ids: [id] })) letters.push(letter);
    return letters;
  }

  /** All letters by stage and id, a page in memory at a time. Those that are added meanwhile may be among them. */
  list(choice: DeadLetterChoice = {}): DeadLetterList {
    return letterList(this.read(filterOf(choice, this.#parts.stages)));
  }

  /** The letters that a filter lets through, with their records. */
  async *read(filter: DeadLetterFilter): AsyncGenerator<ReadLetter> {
    let left = filter.limit ?? Number.POSITIVE_INFINITY;
    const now = this.#parts.clock.now();
    for await (const record of this.#records(filter)) {
      if (left <= 0) return;
      const read = readLetter(record, this.#decoder);
      if (!matches(read.letter, filter, now)) continue;
      left--;
      yield read;
    }
  }

  async *#records({ stage, ids }: DeadLetterFilter): AsyncGenerator<Uint8Array> {
    const { access } = this.#parts;
    if (ids !== undefined) {
      for (const [at, id] of this.#keysOf(stage, ids)) {
        const { value } = await access.request("get", { key: recordKeys.deadLetter(at, id) });
        if (value !== undefined) yield value;
      }
      return;
    }
    const prefix = recordKeys.deadLetters(stage);
    let cursor: string | undefined;
    do {
      const ask = { prefix, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
      const page = await access.request("scan", ask);
      yield* page.values;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  *#keysOf(stage: string | undefined, ids: readonly string[]): Generator<[stage: string, id: string]> {
    for (const id of new Set(ids)) {
      for (const at of stage === undefined ? this.#parts.stages : [stage]) yield [at, id];
    }
  }

  /** Stage and id of the letters that a filter lets through; reads no more of them than it must. */
  async *#chosen(filter: DeadLetterFilter): AsyncGenerator<readonly [stage: string, id: string]> {
    const { stage, ids, limit = Number.POSITIVE_INFINITY } = filter;
    if (!isByKey(filter)) {
      for await (const { letter } of this.read(filter)) yield [letter.stage, letter.id];
      return;
    }
    if (ids !== undefined) {
      yield* this.#keysOf(stage, ids);
      return;
    }
    const prefix = recordKeys.deadLetters(stage);
    let left = limit;
    let cursor: string | undefined;
    do {
      const ask = { prefix, limit: Math.min(PAGE, left), ...(cursor === undefined ? {} : { cursor }) };
      const page = await this.#parts.access.request("keys", ask);
      for (const key of page.keys) yield partsOf(key);
      left -= page.keys.length;
      cursor = page.cursor;
    } while (cursor !== undefined && left > 0);
  }

  /** Hands the chosen letters on in steps, each of one stage. */
  async #inSteps(
    choice: DeadLetterChoice,
    step: (stage: string, ids: readonly string[]) => Promise<void>,
  ): Promise<void> {
    let stage = "";
    let ids: string[] = [];
    for await (const [at, id] of this.#chosen(filterOf(choice, this.#parts.stages))) {
      if (ids.length > 0 && (at !== stage || ids.length >= STEP)) {
        await step(stage, ids);
        ids = [];
      }
      stage = at;
      ids.push(id);
    }
    if (ids.length > 0) await step(stage, ids);
  }

  async replay(choice: DeadLetterChoice): Promise<{ replayed: number; unreadable: readonly string[] }> {
    let replayed = 0;
    const unreadable: string[] = [];
    await this.#inSteps(choice, async (stage, ids) => {
      const answer = await this.#parts.access.replay(stage, ids);
      replayed += answer.replayed;
      unreadable.push(...answer.unreadable);
    });
    return { replayed, unreadable };
  }

  async drop(choice: DeadLetterChoice): Promise<{ dropped: number }> {
    let dropped = 0;
    await this.#inSteps(choice, async (stage, ids) => {
      dropped += (await this.#parts.access.request("drop-letters", { stage, ids })).dropped;
    });
    return { dropped };
  }

  async edit(choice: DeadLetterChoice, change: DeadLetterChange): Promise<{ edited: number }> {
    const { edited } = await this.editWith(choice, async (letters) => {
      const items: { id: string; item: unknown; from: ReadLetter }[] = [];
      for (const from of letters) {
        const item = typeof change === "function" ? await change(from.letter.item, from.letter) : change;
        if (item !== undefined) items.push({ id: from.letter.id, item, from });
      }
      const [first] = letters;
      if (first !== undefined) await this.#parts.check?.(first.letter.stage, items);
      const frames = new Map(items.map(({ item, from }) => [from, frameWith(from.stored, item)]));
      return letters.map((letter) => frames.get(letter));
    });
    return { edited };
  }

  /**
   * Edits the chosen letters in steps, each of one stage and stored as a whole; `by` names the code that does, and
   * letters that it has edited already are left out: said again, it goes on where it was.
   */
  async editWith(
    choice: DeadLetterChoice,
    step: EditStep,
    by?: string,
  ): Promise<{ edited: number; changed: readonly string[]; skipped: number }> {
    let edited = 0;
    let skipped = 0;
    const changed: string[] = [];
    let page: ReadLetter[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const frames = await step(page);
      const edits = page.flatMap(({ letter, stored, record }, i) => {
        const frame = frames[i];
        if (frame === undefined) return [];
        return [{ id: letter.id, expected: record, value: this.#edited(stored, frame, by) }];
      });
      skipped += page.length - edits.length;
      const stage = page[0]?.letter.stage as string;
      page = [];
      bytes = 0;
      if (edits.length === 0) return;
      const answer = await this.#parts.access.request("edit-letters", { stage, edits });
      edited += answer.edited;
      changed.push(...answer.changed);
    };
    for await (const read of this.read(filterOf(choice, this.#parts.stages))) {
      if (by !== undefined && read.letter.edited?.by === by) {
        skipped++;
        continue;
      }
      const isFull = page.length >= STEP || bytes >= STEP_BYTES;
      if (page.length > 0 && (isFull || page[0]?.letter.stage !== read.letter.stage)) await flush();
      page.push(read);
      bytes += read.record.byteLength;
    }
    if (page.length > 0) await flush();
    return { edited, changed, skipped };
  }

  #edited(stored: StoredDeadLetter, frame: Uint8Array, by: string | undefined): Buffer {
    const edited = { at: this.#parts.clock.now(), ...(by === undefined ? {} : { by }) };
    const original = stored.original ?? stored.frame;
    return packValue({ ...stored, frame, original, edited } satisfies StoredDeadLetter);
  }
}

/** A letter out of its record. */
export function readLetter(record: Uint8Array, decoder: ItemDecoder): ReadLetter {
  const stored = unpackValue(record) as StoredDeadLetter;
  const { frame, original: _original, lane: _lane, replay = 0, ...rest } = stored;
  return { letter: { ...rest, replay, ...itemOf(frame, decoder) }, stored, record };
}

function itemOf(frame: Uint8Array, decoder: ItemDecoder): { item: unknown; raw?: Buffer } {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  try {
    return { item: onlyItem(bytes, decoder) };
  } catch {
    return { item: undefined, raw: Frame.check(bytes) === undefined ? Frame.parse(bytes).payload : bytes };
  }
}

/** The frame of a letter with another item. Throws EncodingError. */
export function frameWith(stored: StoredDeadLetter, item: unknown): Buffer {
  const { id, key, headers, enqueuedAt, frame } = stored;
  return replaceItem(frame, item, { id, headers, enqueuedAt, ...(key === undefined ? {} : { key }) });
}

function partsOf(key: string): [stage: string, id: string] {
  const [, stage = "", id = ""] = key.split("/");
  return [stage, id];
}
