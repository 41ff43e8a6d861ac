import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { DiskFile } from "../env/env.ts";

/** Read at once. A batch of items is made of it without a pause: longer chunks would hold up everything else. */
const CHUNK = 64 * 1024;

/** The content of a file, in chunks; the next is being read while one is worked on. */
export class ByteChunks {
  readonly #file: DiskFile;
  readonly #isGzip: boolean;
  #readBytes = 0;
  #ahead: Promise<Buffer> | undefined;

  constructor(file: DiskFile, path: string) {
    this.#file = file;
    this.#isGzip = path.toLowerCase().endsWith(".gz");
  }

  /** How far the file itself has been read: of a compressed one, compressed bytes. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** Content from byte `from` on; of a compressed file that is a place in what it holds, and it is read from its start. */
  async *from(from: number): AsyncGenerator<Buffer, void, undefined> {
    if (!this.#isGzip) {
      yield* this.#raw(from);
      return;
    }
    let skip = from;
    // Nothing compressed is in an empty file: to zlib it would be one that ends too early.
    if ((await this.#file.size()) === 0) return;
    const gunzip = createGunzip({ chunkSize: CHUNK });
    // n.b. an error of the reader reaches us through gunzip, which the pipeline destroys with it.
    pipeline(Readable.from(this.#raw(0), { highWaterMark: 1 }), gunzip, () => undefined);
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      if (chunk.length > skip) yield skip === 0 ? chunk : chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
    }
  }

  async *#raw(from: number): AsyncGenerator<Buffer, void, undefined> {
    let at = from;
    for (let ahead = this.#file.read(at, CHUNK); ; ) {
      const chunk = await ahead;
      if (chunk.length === 0) return;
      at += chunk.length;
      this.#readBytes = at;
      ahead = this.#file.read(at, CHUNK);
      // Looked at when it is its turn.
      ahead.catch(() => undefined);
      this.#ahead = ahead;
      yield chunk;
    }
  }

  /** Closes the file, not under a read. */
  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined);
    await this.#file.close();
  }
}
