import { createHash } from "node:crypto";
import { type LineBlock, startOfLine } from "./line-blocks.ts";

/** Bytes whose hash says that a file is still the one that was read. */
const CHECKED_BYTES = 1_024;

/** How far a source has come in its files: its checkpoint token. */
export interface FileToken {
  /** The file in hand, as the user or the pattern names it. */
  readonly path: string;
  /** Files before it, and a hash over their paths. */
  readonly done: number;
  readonly chain: string;
  /** The next byte of its content, and the number of the line there. */
  readonly at: number;
  readonly line: number;
  /** Pieces of what lies before: the beginning of the file, and the end of what was read. */
  readonly checks: readonly Check[];
  /** What the format has to know: the columns of a CSV. */
  readonly format: unknown;
  /** Read to its end. */
  readonly ended: boolean;
}

export interface Check {
  readonly at: number;
  readonly length: number;
  readonly hash: string;
}

function checkOf(bytes: Uint8Array, at: number): Check {
  return { at, length: bytes.length, hash: hashOf(bytes) };
}

/** Of the first bytes of a file, as far as they lie in its first block before line `upTo`. */
export function headCheck(block: LineBlock, upTo: number): Check | undefined {
  if (block.at !== 0) return undefined;
  return checkOf(block.bytes.subarray(0, Math.min(CHECKED_BYTES, startOfLine(block, upTo))), 0);
}

/** Of the bytes before line `upTo` of a block. */
export function tailCheck(block: LineBlock, upTo: number): Check {
  const end = startOfLine(block, upTo);
  const start = Math.max(0, end - CHECKED_BYTES);
  return checkOf(block.bytes.subarray(start, end), block.at + start);
}

export function hashOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("base64url").slice(0, 16);
}
