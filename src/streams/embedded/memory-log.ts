import { IN_BROKER_OFFSET, type Location, type Log, type LogDamage, type LogEntry } from "./log.ts";

/** The log without a disk: for tests, simulation and runs inside one process. Survives nothing. */
export class MemoryLog implements Log {
  readonly #blobs = new Map<number, Buffer>();
  #next = IN_BROKER_OFFSET + 1;

  async open(): Promise<readonly LogDamage[]> {
    return [];
  }

  async append(entries: readonly LogEntry[]): Promise<readonly (readonly Location[])[]> {
    return entries.map((entry) =>
      entry.blobs.map((blob) => {
        const offset = this.#next++;
        if (blob.byteLength > 0)
          this.#blobs.set(offset, Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength));
        return { segment: 0, offset, length: blob.byteLength };
      }),
    );
  }

  async read(location: Location): Promise<Buffer> {
    const blob = location.length === 0 ? Buffer.alloc(0) : this.#blobs.get(location.offset);
    if (blob === undefined) throw new RangeError(`memory log: nothing at ${location.offset}`);
    return blob;
  }

  retain(): void {}

  release(location: Location): void {
    this.#blobs.delete(location.offset);
  }

  async shrink(): Promise<void> {}

  segmentToEmpty(): undefined {
    return undefined;
  }

  /** n.b. what is there can still be read, for as long as somebody holds the log. */
  async close(): Promise<void> {}
}
