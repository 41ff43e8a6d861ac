import { dirname } from "node:path";
import type { Env } from "../../env/env.ts";

const PIECE_BYTES = 128 * 1024;
const BLOCK_BYTES = 4_096;

/** A file that holds room which nobody else can take: without it a full disk could not even store that items are done. */
export class Ballast {
  readonly #env: Env;
  readonly #path: string;
  readonly bytes: number;
  #isThere = false;

  constructor(env: Env, path: string, bytes: number) {
    this.#env = env;
    this.#path = path;
    this.bytes = bytes;
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  /** An earlier life may have left one. */
  async find(): Promise<void> {
    const size = (await this.#env.disk.info(this.#path))?.size;
    if (size === this.bytes) this.#isThere = true;
    else if (size !== undefined) await this.#env.disk.remove(this.#path);
  }

  /** Tells whether it is there now. */
  async make(): Promise<boolean> {
    if (this.#isThere) return true;
    const { disk, random } = this.#env;
    try {
      const file = await disk.open(this.#path, "create");
      try {
        // n.b. random bytes: a file system that compresses, or leaves holes, would take no room for zeros. One piece
        // serves again and again, as a process keeps what it once allocated; its blocks are told apart by numbers.
        const piece = random.bytes(Math.min(PIECE_BYTES, this.bytes));
        for (let at = 0; at < this.bytes; at += piece.length) {
          for (let block = 0; block + 4 <= piece.length; block += BLOCK_BYTES)
            piece.writeUInt32LE((at + block) % 2 ** 32, block);
          await file.writev([piece.subarray(0, this.bytes - at)], at);
        }
        await file.datasync();
      } finally {
        await file.close();
      }
      this.#isThere = true;
    } catch {
      await disk.remove(this.#path).catch(() => undefined);
    }
    return this.#isThere;
  }

  /** Gives its room to whoever writes next; tells whether there was any. */
  async drop(): Promise<boolean> {
    if (!this.#isThere) return false;
    this.#isThere = false;
    try {
      await this.#env.disk.remove(this.#path);
      await this.#env.disk.syncDirectory(dirname(this.#path));
    } catch {
      return false;
    }
    return true;
  }
}
