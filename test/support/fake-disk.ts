import { dirname } from "node:path";
import type { Disk, DiskFile, FileInfo } from "../../src/env/env.ts";

/** A drive writes whole sectors; which of them it has written when the power goes is its own affair. */
const SECTOR = 64;

type Pending =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "truncate"; readonly to: number };

interface FileState {
  /** What reads see. */
  content: Buffer;
  /** What a power cut leaves for certain. */
  durable: Buffer;
  /** What has happened since the last sync, oldest first. */
  pending: Pending[];
}

/** Chance as the disk needs it: a number in [0, 1). */
export type Chance = () => number;

/** A generator of numbers in [0, 1) that gives the same ones for the same seed. */
export function seededChance(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

/**
 * A disk that forgets. What was not synced may be lost, torn at any sector or kept in any order when the power
 * goes; names are durable only once their directory was synced. It can be full, fail and rot on demand.
 */
export class FakeDisk implements Disk {
  readonly #files = new Map<string, FileState>();
  /** Names as of the last sync of their directory. */
  readonly #durableNames = new Map<string, FileState>();
  readonly #chance: Chance;
  #life = 1;
  /** Operations until the power goes. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** Bytes that all files together may have. */
  capacity = Number.POSITIVE_INFINITY;
  /** Asked before each operation; an error code makes it fail. */
  failure: ((operation: string, path: string) => string | undefined) | undefined;
  /** Operations so far, for tests that cut at each of them in turn. */
  operations = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  get isOff(): boolean {
    return this.cutAfter <= 0;
  }

  /** The power comes back: files are what the drive made of them, and nothing is open. */
  powerOn(): void {
    this.#life++;
    this.cutAfter = Number.POSITIVE_INFINITY;
    const names = new Map<string, FileState>();
    for (const path of new Set([...this.#files.keys(), ...this.#durableNames.keys()])) {
      const now = this.#files.get(path);
      const before = this.#durableNames.get(path);
      const state = now === before || this.#chance() < 0.5 ? now : before;
      if (state !== undefined) names.set(path, state);
    }
    for (const state of new Set(names.values())) this.#forget(state);
    this.#files.clear();
    this.#durableNames.clear();
    for (const [path, state] of names) {
      this.#files.set(path, state);
      this.#durableNames.set(path, state);
    }
  }

  #forget(state: FileState): void {
    let content: Buffer = Buffer.from(state.durable);
    const mood = this.#chance();
    for (const change of state.pending) {
      // Moods: nothing arrived, everything did, or each sector for itself.
      if (mood < 0.2) break;
      if (change.kind === "truncate") {
        if (mood > 0.8 || this.#chance() < 0.5) content = resized(content, change.to);
        continue;
      }
      for (let from = 0; from < change.bytes.length; from += SECTOR) {
        if (mood <= 0.8 && this.#chance() < 0.4) continue;
        const sector = change.bytes.subarray(from, from + SECTOR);
        if (content.length < change.at + from + sector.length)
          content = resized(content, change.at + from + sector.length);
        sector.copy(content, change.at + from);
      }
    }
    state.content = content;
    state.durable = Buffer.from(content);
    state.pending = [];
  }

  /** Flips one bit where it lies. */
  flip(path: string, bit: number): void {
    for (const buffer of [this.#state(path).content, this.#state(path).durable]) {
      const at = bit >> 3;
      if (at < buffer.length) buffer[at] = (buffer[at] as number) ^ (1 << (bit & 7));
    }
  }

  /** Replaces bytes where they lie. */
  overwrite(path: string, at: number, bytes: Uint8Array): void {
    for (const buffer of [this.#state(path).content, this.#state(path).durable]) buffer.set(bytes, at);
  }

  /** What a reader sees of a file. */
  bytesOf(path: string): Buffer {
    return this.#state(path).content;
  }

  /** Names in a directory, sorted; looking at them takes no operation. */
  names(directory: string): string[] {
    return [...this.#files.keys()]
      .filter((path) => dirname(path) === directory)
      .map((path) => path.slice(directory.length + 1))
      .sort();
  }

  get usedBytes(): number {
    let used = 0;
    for (const state of new Set(this.#files.values())) used += state.content.length;
    return used;
  }

  #state(path: string): FileState {
    const state = this.#files.get(path);
    if (state === undefined) throw systemError("ENOENT");
    return state;
  }

  /** Takes its turn, as real I/O does; fails when the power is off or goes now. */
  async #step(operation: string, path: string, life?: number): Promise<void> {
    await Promise.resolve();
    this.operations++;
    if (life !== undefined && life !== this.#life) throw systemError("EBADF");
    const code = this.failure?.(operation, path);
    if (code !== undefined) throw systemError(code);
    this.cutAfter--;
    if (this.cutAfter < 0) throw systemError("EPOWER");
  }

  #afterStep(): void {
    // The operation in whose midst the power went has had its effect, and nobody is told.
    if (this.cutAfter === 0) throw systemError("EPOWER");
  }

  async open(path: string, mode: "create" | "readWrite" | "read"): Promise<DiskFile> {
    await this.#step("open", path);
    if (mode === "create") {
      if (this.#files.has(path)) throw systemError("EEXIST");
      this.#files.set(path, { content: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] });
    }
    const state = this.#state(path);
    this.#afterStep();
    const life = this.#life;
    let isOpen = true;
    const step = async (operation: string): Promise<void> => {
      if (!isOpen) throw systemError("EBADF");
      await this.#step(operation, path, life);
    };
    return {
      writev: async (buffers, position) => {
        await step("write");
        const bytes = Buffer.concat(buffers);
        const growth = Math.max(0, position + bytes.length - state.content.length);
        const room = this.capacity - this.usedBytes;
        const taken =
          growth <= room
            ? bytes
            : bytes.subarray(0, Math.max(0, bytes.length - (growth - Math.max(0, room))));
        if (taken.length > 0) {
          state.content = resized(state.content, Math.max(state.content.length, position + taken.length));
          taken.copy(state.content, position);
          state.pending.push({ kind: "write", at: position, bytes: Buffer.from(taken) });
        }
        this.#afterStep();
        if (taken.length < bytes.length) throw systemError("ENOSPC");
      },
      read: async (position, length) => {
        await step("read");
        return Buffer.from(state.content.subarray(position, position + length));
      },
      datasync: async () => {
        await step("datasync");
        this.#afterStep();
        state.durable = Buffer.from(state.content);
        state.pending = [];
      },
      truncate: async (length) => {
        await step("truncate");
        state.content = resized(state.content, length);
        state.pending.push({ kind: "truncate", to: length });
        this.#afterStep();
      },
      size: async () => {
        await step("size");
        return state.content.length;
      },
      close: async () => {
        isOpen = false;
      },
    };
  }

  async readFile(path: string): Promise<Buffer> {
    await this.#step("read", path);
    return Buffer.from(this.#state(path).content);
  }

  async replaceFile(path: string, content: string | Uint8Array): Promise<void> {
    await this.#step("replace", path);
    const bytes = Buffer.from(content as Uint8Array);
    const state: FileState = { content: bytes, durable: Buffer.from(bytes), pending: [] };
    this.#files.set(path, state);
    this.#afterStep();
    this.#durableNames.set(path, state);
  }

  async createExclusive(path: string, content: string): Promise<void> {
    await this.#step("create", path);
    if (this.#files.has(path)) throw systemError("EEXIST");
    const bytes = Buffer.from(content);
    this.#files.set(path, { content: bytes, durable: Buffer.from(bytes), pending: [] });
    this.#afterStep();
  }

  async list(directory: string): Promise<string[]> {
    await this.#step("list", directory);
    return this.names(directory);
  }

  async info(path: string): Promise<FileInfo | undefined> {
    const state = this.#files.get(path);
    return state === undefined
      ? undefined
      : { size: state.content.length, isDirectory: false, modifiedMs: 0 };
  }

  async makeDirectory(): Promise<void> {}

  async remove(path: string): Promise<void> {
    await this.#step("remove", path);
    this.#files.delete(path);
    this.#afterStep();
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step("rename", from);
    const state = this.#state(from);
    this.#files.set(to, state);
    this.#files.delete(from);
    this.#afterStep();
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.#step("syncDirectory", directory);
    this.#afterStep();
    for (const path of new Set([...this.#files.keys(), ...this.#durableNames.keys()])) {
      if (dirname(path) !== directory) continue;
      const state = this.#files.get(path);
      if (state === undefined) this.#durableNames.delete(path);
      else this.#durableNames.set(path, state);
    }
  }

  async freeBytes(): Promise<number> {
    return Math.max(0, this.capacity - this.usedBytes);
  }

  async totalBytes(): Promise<number> {
    return this.capacity;
  }

  temporaryDirectory(): string {
    return "/tmp";
  }
}

function resized(buffer: Buffer, length: number): Buffer {
  if (length <= buffer.length) return Buffer.from(buffer.subarray(0, length));
  const larger = Buffer.alloc(length);
  buffer.copy(larger);
  return larger;
}
