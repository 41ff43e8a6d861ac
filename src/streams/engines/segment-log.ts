import { join } from "node:path";
import type { DiskFile, Env } from "../../env/env.ts";
import { CorruptionError, DataDirectoryError } from "../../errors.ts";
import type { Location, Log, LogDamage, LogEntry, Replay } from "./log.ts";
import { encodeRecord } from "./log-record.ts";
import { scanSegment } from "./segment-scan.ts";

/**
 * The log on disk: numbered segment files, written at the end of the newest, removed from the oldest.
 *
 * L1 One write and one flush are in flight; what arrives meanwhile is the next group.
 * L2 A segment is removed only when nothing in it lives and no older segment is left: a settlement must not
 *    vanish before the frame that it settles.
 * L3 Each segment begins with a snapshot of what the log's owner cannot rebuild from living entries.
 */

export const LOG_VERSION = 1;
export const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Segments before a nearly empty oldest one is worth moving. */
const SEGMENTS_BEFORE_MOVING = 4;

interface Segment {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  bytes: number;
  /** Living blobs and their bytes. */
  live: number;
  liveBytes: number;
}

export interface SegmentLogOptions {
  readonly directory: string;
  /** Whether a write is flushed before it is confirmed. */
  readonly sync: boolean;
  /** What a new segment begins with. */
  readonly snapshot: () => unknown;
  readonly segmentBytes?: number;
}

export class SegmentLog implements Log {
  readonly #env: Env;
  readonly #options: SegmentLogOptions;
  readonly #segments = new Map<number, Segment>();
  #newest: Segment | undefined;
  #lsn = 1;
  #removing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(env: Env, options: SegmentLogOptions) {
    this.#env = env;
    this.#options = options;
  }

  async open(replay: Replay): Promise<readonly LogDamage[]> {
    const { disk } = this.#env;
    const { directory } = this.#options;
    await disk.makeDirectory(directory);
    const damage: LogDamage[] = [];
    const names = (await disk.list(directory)).filter((name) => /^\d{8}\.seg$/.test(name)).sort();
    for (const [index, name] of names.entries()) {
      const path = join(directory, name);
      const file = await disk.open(path, "readWrite");
      const size = await file.size();
      const bytes = await file.read(0, size);
      const segment: Segment = { number: Number(name.slice(0, 8)), path, file, bytes: size, live: 0, liveBytes: 0 };
      this.#segments.set(segment.number, segment);
      const isNewest = index === names.length - 1;
      const scan = scanSegment(bytes, isNewest);
      for (const record of scan.records) {
        const head = record.head as { version?: number };
        if (head.version !== undefined && head.version !== LOG_VERSION) {
          throw new DataDirectoryError(
            "MR_LOG_VERSION",
            `data directory ${directory}: its log has version ${head.version}, this millrace reads ${LOG_VERSION}; use the version that wrote it, or --new`,
          );
        }
        this.#lsn = Math.max(this.#lsn, record.lsn + 1);
        replay(
          record.head,
          record.blobs.map((blob) => ({ segment: segment.number, offset: blob.offset, length: blob.length })),
        );
      }
      for (const hole of scan.holes) damage.push({ file: path, ...hole, kind: "damaged" });
      if (scan.end < size) {
        if (isNewest) {
          damage.push({ file: path, offset: scan.end, bytes: size - scan.end, kind: "torn-tail" });
          await file.truncate(scan.end);
          await file.datasync();
          segment.bytes = scan.end;
        } else {
          damage.push({ file: path, offset: scan.end, bytes: size - scan.end, kind: "damaged" });
        }
      }
      this.#newest = segment;
    }
    // Always a segment of its own for this life: what an earlier one wrote is not written to again.
    await this.#roll();
    return damage;
  }

  async append(entries: readonly LogEntry[]): Promise<readonly (readonly Location[])[]> {
    if (this.#newest === undefined || this.#newest.bytes >= (this.#options.segmentBytes ?? SEGMENT_BYTES)) {
      await this.#roll();
    }
    return await this.#write(this.#newest as Segment, entries);
  }

  async #write(segment: Segment, entries: readonly LogEntry[]): Promise<readonly (readonly Location[])[]> {
    const group = this.#lsn;
    const start = segment.bytes;
    const buffers: Uint8Array[] = [];
    const locations: Location[][] = [];
    let at = start;
    let lsn = this.#lsn;
    for (const entry of entries) {
      const record = encodeRecord(entry, lsn++, group);
      buffers.push(...record.buffers);
      locations.push(
        record.blobOffsets.map((offset, i) => ({
          segment: segment.number,
          offset: at + offset,
          length: (entry.blobs[i] as Uint8Array).byteLength,
        })),
      );
      at += record.length;
    }
    try {
      // More buffers than the system takes in one call are written in several; the group stays one group.
      for (let i = 0, position = start; i < buffers.length; i += 1_000) {
        const part = buffers.slice(i, i + 1_000);
        await segment.file.writev(part, position);
        for (const buffer of part) position += buffer.byteLength;
      }
      if (this.#options.sync) await segment.file.datasync();
    } catch (error) {
      await segment.file.truncate(start).catch(() => undefined);
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOSPC" || code === "EDQUOT") {
        throw new DataDirectoryError("MR_DISK_FULL", `data directory ${this.#options.directory}: the disk is full; nothing of this write was kept`, {
          cause: error,
          scope: "run",
        });
      }
      throw new DataDirectoryError(
        "MR_DATA_UNWRITABLE",
        `data directory ${this.#options.directory}: writing failed (${code ?? String(error)})`,
        { cause: error, scope: "run" },
      );
    }
    this.#lsn = lsn;
    segment.bytes = at;
    return locations;
  }

  async #roll(): Promise<void> {
    const { disk } = this.#env;
    const number = (this.#newest?.number ?? 0) + 1;
    const path = join(this.#options.directory, `${String(number).padStart(8, "0")}.seg`);
    let file: DiskFile;
    try {
      file = await disk.open(path, "create");
    } catch (error) {
      throw new DataDirectoryError(
        "MR_DATA_UNWRITABLE",
        `data directory ${this.#options.directory}: a new segment cannot be made (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
        { cause: error, scope: "run" },
      );
    }
    await disk.syncDirectory(this.#options.directory);
    const segment: Segment = { number, path, file, bytes: 0, live: 0, liveBytes: 0 };
    this.#segments.set(number, segment);
    await this.#write(segment, [{ head: { version: LOG_VERSION, snapshot: this.#options.snapshot() }, blobs: [] }]);
    this.#newest = segment;
    this.#removeOldest();
  }

  async read(location: Location): Promise<Buffer> {
    const segment = this.#segments.get(location.segment);
    const bytes = segment === undefined ? Buffer.alloc(0) : await segment.file.read(location.offset, location.length);
    if (bytes.length < location.length) {
      throw new CorruptionError(
        "MR_LOG_CORRUPT",
        `log segment ${location.segment}: ${location.length} bytes at ${location.offset} are not there any more`,
      );
    }
    return bytes;
  }

  retain(location: Location): void {
    const segment = this.#segments.get(location.segment);
    if (segment === undefined) return;
    segment.live++;
    segment.liveBytes += location.length;
  }

  release(location: Location): void {
    const segment = this.#segments.get(location.segment);
    if (segment === undefined) return;
    segment.live--;
    segment.liveBytes -= location.length;
    if (segment.live === 0) this.#removeOldest();
  }

  #removeOldest(): void {
    for (const segment of this.#segments.values()) {
      if (segment === this.#newest || segment.live > 0 || this.#closed) return;
      this.#segments.delete(segment.number);
      this.#removing = this.#removing.then(async () => {
        await segment.file.close();
        await this.#env.disk.remove(segment.path);
      });
    }
  }

  segmentToEmpty(): number | undefined {
    if (this.#segments.size < SEGMENTS_BEFORE_MOVING) return undefined;
    const [oldest] = this.#segments.values();
    let total = 0;
    let living = 0;
    for (const segment of this.#segments.values()) {
      total += segment.bytes;
      living += segment.liveBytes;
    }
    if (oldest === undefined || oldest === this.#newest) return undefined;
    const isStraggling = oldest.liveBytes < oldest.bytes / 20;
    return isStraggling || living < total / 3 ? oldest.number : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#removing;
    for (const segment of this.#segments.values()) await segment.file.close();
    this.#segments.clear();
  }
}
