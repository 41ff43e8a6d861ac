import { dirname } from "node:path";
import type { Env } from "../../env/env.ts";

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
        // n.b. random bytes: a file system that compresses, or leaves holes, would take no room for zeros.
        await file.writev([random.bytes(this.bytes)], 0);
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
