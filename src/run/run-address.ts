/** A note in a run's lock: where those who want something of the run find it. Empty where nothing listens. */
export interface RunAddress {
  /** Socket on which the run obeys; empty when its holder only reads its records. */
  readonly control: string;
  /** Socket of its streams process. */
  readonly streams: string;
  readonly secret: string;
}

/** The note of a process that has the lock only to read, and cannot be asked yet. */
export const READER_NOTE = JSON.stringify({ control: "", streams: "", secret: "" } satisfies RunAddress);

/** The address in a lock's note; undefined for a note that holds none. */
export function addressIn(note: string): RunAddress | undefined {
  try {
    const { control, streams, secret } = JSON.parse(note) as Partial<RunAddress>;
    if (typeof control !== "string" || typeof streams !== "string" || typeof secret !== "string")
      return undefined;
    return { control, streams, secret };
  } catch {
    return undefined;
  }
}
