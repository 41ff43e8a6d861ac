import { join } from "node:path";
import type { Disk } from "../env/env.ts";
import type { ObjectBucket } from "./contract.ts";
import { checkObjectName } from "./subject.ts";

/** A bucket of objects in memory. What is put must not change afterwards: clients hand in copies. */
export class MemoryObjects implements ObjectBucket {
  readonly #objects = new Map<string, Uint8Array>();

  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkObjectName(name);
    this.#objects.set(name, bytes);
  }

  async get(name: string): Promise<Buffer | undefined> {
    checkObjectName(name);
    const bytes = this.#objects.get(name);
    return bytes && Buffer.from(bytes);
  }

  async delete(name: string): Promise<void> {
    checkObjectName(name);
    this.#objects.delete(name);
  }

  async list(): Promise<string[]> {
    return [...this.#objects.keys()].sort();
  }
}

/** A bucket of objects in a directory, one file each. */
export class DirectoryObjects implements ObjectBucket {
  readonly #disk: Disk;
  readonly #directory: string;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    await this.#disk.makeDirectory(this.#directory, { mode: 0o700 });
    await this.#disk.replaceFile(path, bytes, { mode: 0o600 });
  }

  async get(name: string): Promise<Buffer | undefined> {
    const path = this.#path(name);
    try {
      return await this.#disk.readFile(path);
    } catch (error) {
      if ((error as { code?: unknown }).code === "ENOENT") return undefined;
      throw error;
    }
  }

  async delete(name: string): Promise<void> {
    await this.#disk.remove(this.#path(name));
  }

  async list(): Promise<string[]> {
    if ((await this.#disk.info(this.#directory)) === undefined) return [];
    const names: string[] = [];
    for (const file of await this.#disk.list(this.#directory)) {
      const name = fromFileName(file);
      if (name !== undefined) names.push(name);
    }
    return names.sort();
  }

  #path(name: string): string {
    checkObjectName(name);
    return join(this.#directory, toFileName(name));
  }
}

/**
 * `+` marks a capital, because some file systems do not tell the cases apart; prefix and suffix keep clear of
 * Windows' reserved names and of the temporary files that a replacement leaves when the process dies.
 */
function toFileName(name: string): string {
  return `o-${name.replace(/[A-Z]/g, (letter) => `+${letter.toLowerCase()}`)}.object`;
}

function fromFileName(file: string): string | undefined {
  const encoded = /^o-(.+)\.object$/.exec(file)?.[1];
  return encoded?.replace(/\+([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
