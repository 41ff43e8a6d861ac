import { IN_BROKER_OFFSET, type Location } from "./log.ts";

const CHUNK = 1_024;
/** 49 days. */
const MAX_DELAY_MS = 2 ** 32 - 1;

interface Chunk {
  readonly segments: Uint32Array;
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;
  /** Items of the frame; 0 where there is none any more. */
  readonly counts: Uint32Array;
  /** Milliseconds where the frame waits for its time, else 0. */
  readonly delays: Uint32Array;
  live: number;
}

/** Where the living frames of one stream lie, by number: about 20 bytes a frame, so that a long backlog is cheap. */
export class FrameIndex {
  readonly #chunks = new Map<number, Chunk>();

  set(frame: number, location: Location, count: number, delayMs: number): void {
    const number = Math.floor(frame / CHUNK);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = {
        segments: new Uint32Array(CHUNK),
        offsets: new Uint32Array(CHUNK),
        lengths: new Uint32Array(CHUNK),
        counts: new Uint32Array(CHUNK),
        delays: new Uint32Array(CHUNK),
        live: 0,
      };
      this.#chunks.set(number, chunk);
    }
    const at = frame % CHUNK;
    if (chunk.counts[at] === 0) chunk.live++;
    chunk.segments[at] = location.segment;
    chunk.offsets[at] = location.offset;
    chunk.lengths[at] = location.length;
    chunk.counts[at] = count;
    chunk.delays[at] = Math.min(delayMs, MAX_DELAY_MS);
  }

  /** Items of a living frame, else 0. */
  countOf(frame: number): number {
    return this.#chunks.get(Math.floor(frame / CHUNK))?.counts[frame % CHUNK] ?? 0;
  }

  /** What a frame that waits for its time was told to wait; 0 when its time has come. */
  delayOf(frame: number): number {
    return this.#chunks.get(Math.floor(frame / CHUNK))?.delays[frame % CHUNK] ?? 0;
  }

  /** Whether a living frame's bytes lie in a broker. */
  isInBroker(frame: number): boolean {
    const chunk = this.#chunks.get(Math.floor(frame / CHUNK));
    const at = frame % CHUNK;
    return chunk !== undefined && chunk.counts[at] !== 0 && chunk.offsets[at] === IN_BROKER_OFFSET;
  }

  locationOf(frame: number): Location | undefined {
    const chunk = this.#chunks.get(Math.floor(frame / CHUNK));
    const at = frame % CHUNK;
    if (chunk === undefined || chunk.counts[at] === 0) return undefined;
    return {
      segment: chunk.segments[at] as number,
      offset: chunk.offsets[at] as number,
      length: chunk.lengths[at] as number,
    };
  }

  delete(frame: number): void {
    const number = Math.floor(frame / CHUNK);
    const chunk = this.#chunks.get(number);
    const at = frame % CHUNK;
    if (chunk === undefined || chunk.counts[at] === 0) return;
    chunk.counts[at] = 0;
    chunk.live--;
    if (chunk.live === 0) this.#chunks.delete(number);
  }

  /** The living frame with the lowest number that is at least `from` and below `limit`, delayed ones left out. */
  nextReady(from: number, limit: number): number | undefined {
    for (let frame = from; frame < limit; ) {
      const chunk = this.#chunks.get(Math.floor(frame / CHUNK));
      if (chunk === undefined) {
        frame = (Math.floor(frame / CHUNK) + 1) * CHUNK;
        continue;
      }
      const at = frame % CHUNK;
      if (chunk.counts[at] !== 0 && chunk.delays[at] === 0) return frame;
      frame++;
    }
    return undefined;
  }

  /** All living frames, in order of their numbers. */
  *frames(): Generator<number> {
    for (const number of [...this.#chunks.keys()].sort((a, b) => a - b)) {
      const chunk = this.#chunks.get(number) as Chunk;
      for (let at = 0; at < CHUNK; at++) if (chunk.counts[at] !== 0) yield number * CHUNK + at;
    }
  }
}
