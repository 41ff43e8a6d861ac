import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { DiskFile, Env } from "../../env/env.ts";
import { CorruptionError, DataDirectoryError } from "../../errors.ts";
import { type Location, type Log, type LogDamage, type LogEntry, type Replay, weightOf } from "./log.ts";
import { encodeRecord } from "./log-record.ts";
import { scanSegment } from "./segment-scan.ts";
import { isFull, unwritable } from "./unwritable.ts";
import { worthMoving } from "./worth-moving.ts";

/**
 * The log on disk: numbered segment files, written at the end of the newest, removed from the oldest.
 *
 * L1 One write and one flush are in flight; what arrives meanwhile is the next group.
 * L2 A segment is removed only when nothing in it lives and no older segment is left: a settlement must not
 *    vanish before the frame that it settles. One goes from the disk before the next is touched.
 * L3 Each segment begins with a snapshot of what the log's owner cannot rebuild from living entries. Segments
 *    are removed only when a new one has begun: its snapshot holds what the entries would have counted that
 *    speak of frames in removed segments.
 */

export const LOG_VERSION = 1;
export const SEGMENT_BYTES = 64 * 1024 * 1024;
/** With less in it, beside its snapshot, a segment is not worth beginning another. */
const WORTH_A_ROLL_BYTES = 128 * 1024;
interface Segment {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  bytes: number;
  /** Set when a failed write could not be taken back: its remains go before anything else is written. */
  isDirty: boolean;
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
  /** See {@link Log.lingerMs}; default 0. */
  readonly lingerMs?: number;
  /** A write met a full disk: tells whether it is worth another try. */
  readonly makeRoom?: () => Promise<boolean>;
}

export class SegmentLog implements Log {
  readonly lingerMs: number;
  readonly #env: Env;
  readonly #options: SegmentLogOptions;
  readonly #segments = new Map<number, Segment>();
  #newest: Segment | undefined;
  #lsn = 1;
  #removing: Promise<void> = Promise.resolve();
  #cannotRemove = false;
  /** What the newest segment began with. */
  #snapshotBytes = 0;

  constructor(env: Env, options: SegmentLogOptions) {
    this.#env = env;
    this.#options = options;
    this.lingerMs = options.sync ? (options.lingerMs ?? 0) : 0;
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
      const segment: Segment = {
        number: Number(name.slice(0, 8)),
        path,
        file,
        bytes: size,
        isDirty: false,
        live: 0,
        liveBytes: 0,
      };
      this.#segments.set(segment.number, segment);
      const isNewest = index === names.length - 1;
      const scan = scanSegment(bytes, isNewest, (record) => {
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
          record.blobs.map((blob) => ({
            segment: segment.number,
            offset: blob.offset,
            length: blob.length,
            crc: blob.crc,
          })),
        );
      });
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
          crc: record.blobCrcs[i] as number,
        })),
      );
      at += record.length;
    }
    try {
      await this.#writeAt(segment, buffers);
    } catch (error) {
      if (!isFull(error) || (await this.#options.makeRoom?.()) !== true)
        throw unwritable(this.#options.directory, error);
      await this.#writeAt(segment, buffers).catch((again: unknown) => {
        throw unwritable(this.#options.directory, again);
      });
    }
    this.#lsn = lsn;
    segment.bytes = at;
    return locations;
  }

  async #writeAt(segment: Segment, buffers: readonly Uint8Array[]): Promise<void> {
    try {
      if (segment.isDirty) await this.#takeBack(segment);
      // More buffers than the system takes in one call are written in several; the group stays one group.
      for (let i = 0, position = segment.bytes; i < buffers.length; i += 1_000) {
        const part = buffers.slice(i, i + 1_000);
        await segment.file.writev(part, position);
        for (const buffer of part) position += buffer.byteLength;
      }
      if (this.#options.sync) await segment.file.datasync();
    } catch (error) {
      segment.isDirty = true;
      await this.#takeBack(segment).catch(() => undefined);
      throw error;
    }
  }

  /** Removes what a failed write left behind, for good: it was refused, and must not come back after a power cut. */
  async #takeBack(segment: Segment): Promise<void> {
    await segment.file.truncate(segment.bytes);
    if (this.#options.sync) await segment.file.datasync();
    segment.isDirty = false;
  }

  async #roll(): Promise<void> {
    const { disk } = this.#env;
    const { directory } = this.#options;
    const number = (this.#newest?.number ?? 0) + 1;
    const path = join(directory, `${String(number).padStart(8, "0")}.seg`);
    let file: DiskFile | undefined;
    try {
      // What a failed write left at the end of a segment would be damage in the middle once there is another behind it.
      if (this.#newest?.isDirty === true) await this.#takeBack(this.#newest);
      file = await disk.open(path, "create");
      await disk.syncDirectory(directory);
      const segment: Segment = { number, path, file, bytes: 0, isDirty: false, live: 0, liveBytes: 0 };
      await this.#write(segment, [
        { head: { version: LOG_VERSION, snapshot: this.#options.snapshot() }, blobs: [] },
      ]);
      this.#segments.set(number, segment);
      this.#newest = segment;
      this.#snapshotBytes = segment.bytes;
    } catch (error) {
      // The next attempt makes the same file.
      await file?.close().catch(() => undefined);
      if (file !== undefined) await disk.remove(path).catch(() => undefined);
      // n.b. for good: if it came back after a power cut, the segment that is still written to would not be the newest.
      await disk.syncDirectory(directory).catch(() => undefined);
      throw unwritable(this.#options.directory, error);
    }
    this.#removeOldest();
  }

  async read(location: Location): Promise<Buffer> {
    const segment = this.#segments.get(location.segment);
    const bytes =
      segment === undefined ? Buffer.alloc(0) : await segment.file.read(location.offset, location.length);
    if (bytes.length < location.length) {
      throw new CorruptionError(
        "MR_LOG_CORRUPT",
        `log segment ${location.segment}: ${location.length} bytes at ${location.offset} are not there any more`,
      );
    }
    if (location.crc !== undefined && crc32(bytes) !== location.crc) {
      throw new CorruptionError(
        "MR_LOG_CORRUPT",
        `log segment ${location.segment}: ${location.length} bytes at ${location.offset} are damaged`,
      );
    }
    return bytes;
  }

  retain(location: Location): void {
    const segment = this.#segments.get(location.segment);
    if (segment === undefined) return;
    segment.live++;
    segment.liveBytes += weightOf(location);
  }

  release(location: Location): void {
    const segment = this.#segments.get(location.segment);
    if (segment === undefined) return;
    segment.live--;
    segment.liveBytes -= weightOf(location);
  }

  #removeOldest(): void {
    for (const segment of this.#segments.values()) {
      if (segment === this.#newest || segment.live > 0) return;
      this.#segments.delete(segment.number);
      this.#removing = this.#removing.then(() => this.#remove(segment));
    }
  }

  async #remove(segment: Segment): Promise<void> {
    await segment.file.close().catch(() => undefined);
    if (this.#cannotRemove) return;
    try {
      await this.#env.disk.remove(segment.path);
      await this.#env.disk.syncDirectory(this.#options.directory);
    } catch {
      // It and all after it are found again, and removed, when the log is opened next.
      this.#cannotRemove = true;
    }
  }

  async shrink(): Promise<void> {
    const newest = this.#newest;
    // n.b. no more than what a segment of these options may hold.
    const worth = Math.min(WORTH_A_ROLL_BYTES, (this.#options.segmentBytes ?? SEGMENT_BYTES) / 2);
    if (newest === undefined) return;
    const [oldest] = this.#segments.values();
    // Nothing lives in it, but what settled the last of it is in the newest: it goes once a snapshot has counted that.
    const isDead = oldest !== newest && oldest?.live === 0;
    const isWorthIt = newest.bytes >= 2 * this.#snapshotBytes + worth && newest.liveBytes < newest.bytes / 2;
    if (isDead || isWorthIt) await this.#roll();
    await this.#removing;
  }

  get groupBytes(): number {
    return (this.#options.segmentBytes ?? SEGMENT_BYTES) / 2;
  }

  segmentToEmpty(freeBytes?: number): number | undefined {
    return worthMoving([...this.#segments.values()], freeBytes);
  }

  async close(): Promise<void> {
    await this.#removing;
    for (const segment of this.#segments.values()) await segment.file.close();
    this.#segments.clear();
  }
}
