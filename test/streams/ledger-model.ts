import { type Delivery, OUTCOMES, type StreamEngine, type Transaction } from "../../src/streams/contract.ts";
import { textsOf } from "../support/test-frames.ts";

interface ModelFrame {
  readonly texts: readonly string[];
  readonly done: Set<number>;
  readonly marks: Map<number, string>;
}

/**
 * What an engine ought to hold, kept the simple way. Frames are known by the text of their first item, since
 * their numbers are the engine's affair.
 */
export class LedgerModel {
  readonly frames = new Map<string, Map<string, ModelFrame>>();
  readonly appended = new Map<string, number>();
  readonly records = new Map<string, string>();
  readonly counts = new Map<string, number>();

  copy(): LedgerModel {
    const copy = new LedgerModel();
    for (const [stream, frames] of this.frames) {
      copy.frames.set(
        stream,
        new Map(
          [...frames].map(([name, f]) => [
            name,
            { texts: f.texts, done: new Set(f.done), marks: new Map(f.marks) },
          ]),
        ),
      );
    }
    for (const [stream, n] of this.appended) copy.appended.set(stream, n);
    for (const [key, value] of this.records) copy.records.set(key, value);
    for (const [key, value] of this.counts) copy.counts.set(key, value);
    return copy;
  }

  #count(stage: string, counter: string, by: number): void {
    const key = `${stage} ${counter}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + by);
  }

  /** `nameOf` tells which frame a number means. */
  apply(transaction: Transaction, nameOf: (stream: string, frame: number) => string): void {
    for (const { stream, frame, from, to, outcome } of transaction.settlements) {
      const name = nameOf(stream, frame);
      const known = this.frames.get(stream)?.get(name);
      if (known === undefined) continue;
      for (let place = from; place < to; place++) {
        if (known.done.has(place)) continue;
        known.done.add(place);
        if (outcome !== "retried") this.#count(stream, outcome, 1);
      }
      if (known.done.size === known.texts.length) this.frames.get(stream)?.delete(name);
    }
    for (const { stream, frame, count, isNew } of transaction.appends) {
      const texts = textsOf(frame);
      let frames = this.frames.get(stream);
      if (frames === undefined) {
        frames = new Map();
        this.frames.set(stream, frames);
      }
      frames.set(texts[0] as string, { texts, done: new Set(), marks: new Map() });
      this.appended.set(stream, (this.appended.get(stream) ?? 0) + count);
      if (isNew) this.#count(stream, "accepted", count);
    }
    for (const { key, value } of transaction.records) {
      if (value === undefined) this.records.delete(key);
      else this.records.set(key, Buffer.from(value).toString("utf8"));
    }
    for (const { stream, frame, place, mark } of transaction.marks) {
      this.frames.get(stream)?.get(nameOf(stream, frame))?.marks.set(place, JSON.stringify(mark));
    }
    for (const [stage, counter, by] of transaction.counts) this.#count(stage, counter, by);
  }

  unsettled(stream: string): number {
    let items = 0;
    for (const frame of this.frames.get(stream)?.values() ?? [])
      items += frame.texts.length - frame.done.size;
    return items;
  }

  /** All of it as text, to be compared with {@link observed}. */
  text(streams: readonly string[]): string {
    return render({
      streams: streams.map((stream) => ({
        stream,
        unsettled: this.unsettled(stream),
        appended: this.appended.get(stream) ?? 0,
        frames: [...(this.frames.get(stream) ?? [])]
          .map(([name, f]) => ({
            name,
            pending: f.texts.filter((_, place) => !f.done.has(place)),
            marks: [...f.marks].filter(([place]) => !f.done.has(place)).sort(([a], [b]) => a - b),
          }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      })),
      records: [...this.records].sort(([a], [b]) => (a < b ? -1 : 1)),
      counts: [...this.counts].filter(([, n]) => n !== 0).sort(([a], [b]) => (a < b ? -1 : 1)),
    });
  }
}

function render(state: unknown): string {
  return JSON.stringify(state, undefined, 1);
}

/** What an engine holds, in the words of {@link LedgerModel.text}; `deliveries` are all that it handed out since it was opened. */
export async function observed(
  engine: StreamEngine,
  streams: readonly string[],
  deliveries: readonly Delivery[],
): Promise<string> {
  const records: [string, string][] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await engine.records.scan("", cursor, 7);
    for (const { key, value } of page.entries) records.push([key, value.toString("utf8")]);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  const counts: [string, number][] = [];
  for (const [stage, counters] of engine.counts()) {
    for (const [counter, n] of counters) if (n !== 0) counts.push([`${stage} ${counter}`, n]);
  }
  return render({
    streams: streams.map((stream) => ({
      stream,
      unsettled: engine.stats(stream).unsettled,
      appended: engine.stats(stream).appended,
      frames: deliveries
        .filter((delivery) => delivery.stream === stream)
        .map((delivery) => {
          const texts = textsOf(delivery.content.bytes);
          const pending = delivery.pending.flatMap(([from, to]) => texts.slice(from, to));
          const isPending = (place: number): boolean =>
            delivery.pending.some(([from, to]) => place >= from && place < to);
          return {
            name: texts[0] as string,
            pending,
            marks: [...(delivery.marks ?? [])]
              .filter(([place]) => isPending(place))
              .map(([place, mark]) => [place, JSON.stringify(mark)] as const)
              .sort(([a], [b]) => a - b),
          };
        })
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    })),
    records,
    counts: counts.sort(([a], [b]) => (a < b ? -1 : 1)),
  });
}

/** R3: what was accepted is settled in one way or not settled, and nothing else. */
export function unaccounted(engine: StreamEngine, stream: string): number {
  const counters = engine.counts().get(stream);
  let settled = 0;
  for (const outcome of OUTCOMES) if (outcome !== "retried") settled += counters?.get(outcome) ?? 0;
  return (counters?.get("accepted") ?? 0) - settled - engine.stats(stream).unsettled;
}
