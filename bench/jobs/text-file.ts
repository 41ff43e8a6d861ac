import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

const SEED = 20_261;
const WORDS = 5_000;
const PIECE_BYTES = 1024 * 1024;

/** A text of so many bytes in a folder: the same bytes every time, written once. Gives its path. */
export function textFile(folder: string, bytes: number): string {
  const path = join(folder, `text-${SEED}-${bytes}.txt`);
  if (statSync(path, { throwIfNoEntry: false })?.size === bytes) return path;
  mkdirSync(folder, { recursive: true });
  const file = openSync(`${path}.part`, "w");
  const random = randomOf(SEED);
  const words = Array.from({ length: WORDS }, () => wordOf(random));
  for (let written = 0; written < bytes; ) {
    let piece = "";
    for (let n = 1; piece.length < PIECE_BYTES; n++) {
      // Early words are much more frequent than late ones, as in any text.
      piece += words[Math.floor(WORDS ** random()) - 1] as string;
      piece += n % 12 === 0 ? "\n" : " ";
    }
    written += writeSync(file, piece.slice(0, bytes - written));
  }
  closeSync(file);
  renameSync(`${path}.part`, path);
  return path;
}

function wordOf(random: () => number): string {
  const length = 2 + Math.floor(random() * 9);
  return Array.from({ length }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join("");
}

/** Numbers from 0 to below 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
