import * as fs from "node:fs";
import { promises as fsp } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Disk, DiskFile } from "./env.ts";

const OPEN_FLAGS = { create: "wx+", readWrite: "r+", read: "r" } as const;

/** Up to here a write is a copy into the system's memory of a few microseconds, and another thread's turn costs ten times that. */
const SMALL_WRITE_BYTES = 64 * 1024;

/**
 * A flush after a pause is waited for where we are, if those before it were as short: to be woken by another thread takes
 * an idle machine as long as the flush itself. In a stream of flushes what comes meanwhile is read beside them.
 */
const SHORT_FLUSH_MS = 4;
const PAUSE_MS = 2;

class NodeDiskFile implements DiskFile {
  readonly #fd: number;
  /** How long flushes take, averaged; not known at first. */
  #flushMs = Number.POSITIVE_INFINITY;
  #flushedAt = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async writev(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let bytes = 0;
    for (const buffer of buffers) bytes += buffer.byteLength;
    const written = bytes <= SMALL_WRITE_BYTES ? fs.writevSync(this.#fd, buffers, position) : 0;
    if (written < bytes) await this.#writeElsewhere(skipBytes(buffers, written), position + written);
  }

  #writeElsewhere(buffers: readonly Uint8Array[], position: number): Promise<void> {
    // The callback API costs about half of what a FileHandle's promise does; the log writes through here.
    return new Promise((resolve, reject) => {
      const write = (rest: readonly Uint8Array[], at: number): void => {
        fs.writev(this.#fd, rest, at, (error, written) => {
          if (error) reject(error);
          else {
            const left = skipBytes(rest, written);
            if (left.length === 0) resolve();
            else write(left, at + written);
          }
        });
      };
      write(buffers, position);
    });
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const count = await new Promise<number>((resolve, reject) => {
        fs.read(this.#fd, buffer, filled, length - filled, position + filled, (error, read) =>
          error ? reject(error) : resolve(read),
        );
      });
      if (count === 0) break;
      filled += count;
    }
    return filled === length ? buffer : buffer.subarray(0, filled);
  }

  async datasync(): Promise<void> {
    const began = performance.now();
    if (this.#flushMs < SHORT_FLUSH_MS && began - this.#flushedAt > PAUSE_MS) fs.fdatasyncSync(this.#fd);
    else {
      await new Promise<void>((resolve, reject) => {
        fs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()));
      });
    }
    this.#flushedAt = performance.now();
    const took = this.#flushedAt - began;
    this.#flushMs = this.#flushMs === Number.POSITIVE_INFINITY ? took : this.#flushMs * 0.8 + took * 0.2;
  }

  truncate(length: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.#fd, length, (error) => (error ? reject(error) : resolve()));
    });
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#fd, (error, stats) => (error ? reject(error) : resolve(stats.size)));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#fd, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** What is left of `buffers` after `count` bytes: a write may be short on a full disk or a signal. */
function skipBytes(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skip = count;
  for (let i = 0; i < buffers.length; i++) {
    const buffer = buffers[i] as Uint8Array;
    if (skip < buffer.byteLength) return [buffer.subarray(skip), ...buffers.slice(i + 1)];
    skip -= buffer.byteLength;
  }
  return [];
}

let temporaryNumber = 0;

export const nodeDisk: Disk = {
  async open(path, mode) {
    const fd = await new Promise<number>((resolve, reject) => {
      fs.open(path, OPEN_FLAGS[mode], 0o600, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    return new NodeDiskFile(fd);
  },

  readFile: (path) => fsp.readFile(path),

  async replaceFile(path, content, options) {
    const temporary = `${path}.${process.pid}.${temporaryNumber++}.tmp`;
    const handle = await fsp.open(temporary, "wx", options?.mode ?? 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    try {
      await fsp.rename(temporary, path);
    } catch (error) {
      await fsp.rm(temporary, { force: true });
      throw error;
    }
    await nodeDisk.syncDirectory(dirname(path));
  },

  async createExclusive(path, content, options) {
    const temporary = `${path}.${process.pid}.${temporaryNumber++}.tmp`;
    await fsp.writeFile(temporary, content, { mode: options?.mode ?? 0o600, flag: "wx" });
    try {
      // A link fails when the name exists, and shows the whole content at once.
      await fsp.link(temporary, path);
    } finally {
      await fsp.rm(temporary, { force: true });
    }
  },

  list: (directory) => fsp.readdir(directory),

  async info(path, options) {
    try {
      const stats = await (options?.ofLink === true ? fsp.lstat(path) : fsp.stat(path));
      return { size: stats.size, isDirectory: stats.isDirectory(), modifiedMs: stats.mtimeMs };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
      throw error;
    }
  },

  async makeDirectory(path, options) {
    await fsp.mkdir(path, { recursive: true, mode: options?.mode ?? 0o700 });
  },

  remove: (path) => fsp.rm(path, { recursive: true, force: true }),
  rename: (from, to) => fsp.rename(from, to),

  async syncDirectory(path) {
    // Windows cannot open a directory; its rename is durable enough by itself.
    if (process.platform === "win32") return;
    const handle = await fsp.open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },

  async freeBytes(path) {
    const stats = await fsp.statfs(path);
    return stats.bavail * stats.bsize;
  },

  async totalBytes(path) {
    const stats = await fsp.statfs(path);
    return stats.blocks * stats.bsize;
  },

  temporaryDirectory: () => process.env.XDG_RUNTIME_DIR ?? join(tmpdir()),
};
