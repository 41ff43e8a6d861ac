/** A part of a text file, in bytes. */
export interface Range {
  readonly path: string;
  readonly from: number;
  /** Not in it any more. */
  readonly to: number;
}

/** The ranges of a file of so many bytes. */
export function* ranges(path: string, bytes: number, chunk: number): Generator<Range> {
  for (let from = 0; from < bytes; from += chunk) yield { path, from, to: Math.min(bytes, from + chunk) };
}
