import { join } from "node:path";
import type { Env, Timer } from "../../env/env.ts";
import type { DiskRoom } from "../disk-room.ts";
import { Ballast } from "./ballast.ts";

const LOOK_MS = 1_000;
/** By default so much of the disk stays free, or this share of it where that is less. */
const KEEP_FREE_BYTES = 256 * 1024 * 1024;
const KEEP_FREE_SHARE = 0.05;
/** Over the watermark by so much, new items are taken again. */
const RESUME = 1.25;
/** Under this share of the watermark, what came from outside and was on its way is not stored either. */
const SHORT = 0.5;
/** This share is for what settles items, and takes next to nothing. */
const LEAST = 0.1;
const BALLAST_BYTES = 4 * 1024 * 1024;
/** Written in less than a look's time, it is worth a look of its own. */
const LEAST_STEP_BYTES = 256 * 1024;

export interface DiskWatchOptions {
  /** Of the log. */
  readonly directory: string;
  /** The first watermark, in bytes; 0 keeps no watch. */
  readonly keepFreeBytes?: number | undefined;
  /** Asked at every look while the disk is low: what is of no use any more is to go. */
  readonly onLow: (freeBytes: number) => void;
}

/**
 * Watches the disk of a log.
 *
 * W1 Low begins below the watermark, or when a write met a full disk. It ends over {@link RESUME} times the watermark,
 *    with the ballast back in its place.
 * W2 The ballast is given up only to a write that met a full disk.
 */
export class DiskWatch implements DiskRoom {
  readonly #env: Env;
  readonly #options: DiskWatchOptions;
  readonly #ballast: Ballast;
  readonly #lowBytes: number;
  /** Of the file system. */
  readonly totalBytes: number;
  #freeBytes: number;
  /** Expected, and not known to have been written when the last look began. */
  #expected = 0;
  /** Of these, written since. */
  #written = 0;
  #expectedAtLook = 0;
  #step = 0;
  #isLow = false;
  #looking: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;
  #waiting: (() => void)[] = [];
  readonly #listeners: (() => void)[] = [];

  private constructor(
    env: Env,
    options: DiskWatchOptions,
    size: { low: number; free: number; total: number },
  ) {
    const { low: lowBytes, free: freeBytes } = size;
    this.totalBytes = size.total;
    this.#env = env;
    this.#options = options;
    this.#lowBytes = lowBytes;
    this.#freeBytes = freeBytes;
    const bytes = Math.floor(Math.min(BALLAST_BYTES, lowBytes));
    this.#ballast = new Ballast(env, join(options.directory, "ballast"), bytes);
    this.#note(freeBytes);
    this.#isLow = freeBytes < lowBytes;
  }

  /** Undefined where nothing is to be kept free, or the system does not say how much there is. */
  static async open(env: Env, options: DiskWatchOptions): Promise<DiskWatch | undefined> {
    const { directory, keepFreeBytes } = options;
    if (keepFreeBytes === 0) return undefined;
    try {
      const [free, total] = [await env.disk.freeBytes(directory), await env.disk.totalBytes(directory)];
      const low = keepFreeBytes ?? Math.min(KEEP_FREE_BYTES, KEEP_FREE_SHARE * total);
      if (!(low > 0 && free >= 0)) return undefined;
      const watch = new DiskWatch(env, options, { low, free, total });
      await watch.#ballast.find();
      watch.#wait();
      return watch;
    } catch {
      return undefined;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isLow(): boolean {
    return this.#isLow;
  }

  fits(bytes: number): boolean {
    // n.b. a write that meets a full disk is given the ballast.
    const spare = this.#ballast.isThere ? this.#ballast.bytes : 0;
    return this.#left + spare - bytes >= LEAST * this.#lowBytes;
  }

  /** n.b. rather too little: what was written while somebody looked is missing twice, until the next look. */
  get #left(): number {
    return this.#freeBytes - this.#expected;
  }

  get text(): string {
    return `${megabytes(this.#freeBytes)} of the disk are free, ${megabytes(this.#lowBytes)} are to stay free`;
  }

  expect(bytes: number): void {
    this.#expected += bytes;
    if (this.#expected - this.#expectedAtLook > this.#step) void this.look();
  }

  admit(bytes: number): boolean {
    const left = this.#left - bytes;
    if (left < this.#lowBytes) this.#setLow(true);
    if (left < SHORT * this.#lowBytes) return false;
    this.expect(bytes);
    return true;
  }

  wrote(bytes: number): void {
    this.#written += bytes;
  }

  looked(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** A write met a full disk; tells whether there is room now to try it once more. */
  async giveUpBallast(): Promise<boolean> {
    const isGiven = await this.#ballast.drop();
    this.#setLow(true);
    return isGiven;
  }

  #wait(): void {
    this.#timer = this.#env.timers.after(LOOK_MS, () => void this.look(), { background: true });
  }

  /** Looks how much is free. One look at a time. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    this.#timer?.cancel();
    // What is written by now is missing from what is free.
    const written = this.#written;
    try {
      const free = await this.#env.disk.freeBytes(this.#options.directory);
      this.#written -= written;
      this.#expected -= written;
      this.#expectedAtLook = this.#expected;
      this.#note(free);
      const missing = this.#ballast.isThere ? 0 : this.#ballast.bytes;
      if (free < this.#lowBytes) this.#setLow(true);
      else if (this.#left - missing >= RESUME * this.#lowBytes && !this.#isClosed) {
        if ((await this.#ballast.make()) || !this.#isLow) this.#setLow(false);
      }
    } catch {
      // It cannot be asked now; what was known stays until the next look.
    }
    if (this.#isClosed) return;
    if (this.#isLow) this.#options.onLow(this.#freeBytes);
    this.#release();
    this.#wait();
  }

  #note(freeBytes: number): void {
    this.#freeBytes = freeBytes;
    this.#step = Math.max(LEAST_STEP_BYTES, Math.abs(freeBytes - this.#lowBytes) / 4);
  }

  #setLow(isLow: boolean): void {
    if (this.#isLow === isLow) return;
    this.#isLow = isLow;
    for (const listener of this.#listeners) listener();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Nothing is written any more: the ballast goes, an idle run takes no more room than it needs. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#looking;
    this.#timer?.cancel();
    this.#release();
    await this.#ballast.drop();
  }
}

const megabytes = (bytes: number): string => `${(Math.max(0, bytes) / 1024 / 1024).toFixed(1)} MB`;
