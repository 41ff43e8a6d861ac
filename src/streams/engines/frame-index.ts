import type { Location } from "./log.ts";

const CHUNK = 1_024;

interface Chunk {
  readonly segments: Uint32Array;
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;
  /** Items of the frame; 0 where there is none any more. */
  readonly counts: Uint32Array;
  /** 1 where the frame waits for its time. */
  readonly delayed: Uint8Array;
  live: number;
}

/** Where the living frames of one stream lie, by number: about 17 bytes a frame, so that a long backlog is cheap. */
export class FrameIndex {
  readonly #chunks = new Map<number, Chunk>();

  set(frame: number, location: Location, count: number, delayed: boolean): void {
    const number = Math.floor(frame / CHUNK);
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = {
        segments: new Uint32Array(CHUNK),
        offsets: new Uint32Array(CHUNK),
        lengths: new Uint32Array(CHUNK),
        counts: new Uint32Array(CHUNK),
        delayed: new Uint8Array(CHUNK),
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
    chunk.delayed[at] = delayed ? 1 : 0;
  }

  /** Items of a living frame, else 0. */
  countOf(frame: number): number {
    return this.#chunks.get(Math.floor(frame / CHUNK))?.counts[frame % CHUNK] ?? 0;
  }

  isDelayed(frame: number): boolean {
    return this.#chunks.get(Math.floor(frame / CHUNK))?.delayed[frame % CHUNK] === 1;
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
      if (chunk.counts[at] !== 0 && chunk.delayed[at] === 0) return frame;
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
