import { addExtension, Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from "msgpackr/pack";
import { StoredBlob } from "./stored-blob.ts";

/** How we use msgpackr: its settings, the values that it is taught, the buffer that it writes to. */

export const OPTIONS = { useRecords: true, moreTypes: true, useBigIntExtension: true } as const;

/** msgpackr gives its own buffer instead of a view, and begins at the same place the next time. */
const IN_PLACE = REUSE_BUFFER_MODE | RESET_BUFFER_MODE;
const MAX_VIEW_BYTES = 1_024;

class NotEncodable extends Error {}

function refuse(what: string): never {
  throw new NotEncodable(what);
}

/** What has nothing to be carried: without a word from us each would be stored as {}. */
const EMPTY_HANDED = [
  [Promise, "a promise (was an await forgotten?)"],
  [WeakMap, "a WeakMap"],
  [WeakSet, "a WeakSet"],
  [WeakRef, "a WeakRef"],
] as const;

/** What a value is called that has nothing to be carried; undefined for any other. */
export function emptyHanded(value: object): string | undefined {
  return EMPTY_HANDED.find(([Class]) => value instanceof Class)?.[1];
}

// n.b. extensions are global to msgpackr.
for (const [Class, what] of EMPTY_HANDED)
  addExtension({ Class, type: 0x70, pack: () => refuse(what), unpack: () => refuse(what) } as never);

// An object around a number, text or truth is carried as what it holds, as JSON has it.
for (const Class of [Number, String, Boolean])
  addExtension({ Class, write: (boxed: object) => boxed.valueOf() } as never);

/** Blobs that the value being packed refers to. */
let referred: string[] | undefined;

addExtension({
  Class: StoredBlob,
  type: 0x71,
  write: ({ id, size }: StoredBlob) => {
    referred ??= [];
    referred.push(id);
    return [id, size];
  },
  read: ([id, size]: [string, number]) => new StoredBlob(id, size),
} as never);

/** Begins to note the blobs that are packed; to be called before a value is. */
export function forgetBlobs(): void {
  referred = undefined;
}

/** The blobs packed since, each as often as it was. */
export function packedBlobs(): readonly string[] | undefined {
  return referred;
}

/** Lists of keys that items share; msgpackr adds to it. */
export type Structures = string[][] & { sharedLength?: number };

/** One that refuses functions; with `structures` the keys of its records go there. */
export function newPackr(structures: Structures | undefined): Packr {
  const packr = new Packr(
    structures === undefined ? OPTIONS : { ...OPTIONS, structures: structures as never },
  );
  (packr as unknown as { writeFunction: () => never }).writeFunction = () => refuse("a function");
  return packr;
}

/** The buffer in which msgpackr made its last bytes, and where they lie in it. */
type Packed = Buffer & { readonly start: number; readonly end: number };

/** The buffer that bytes were given out of last, and where they end: what is packed while they are in use goes behind them. */
let given: Packed | undefined;
let givenEnd = 0;
/** Its beginnings, by length: most items are of a few lengths, and an object less for each of them is worth it. */
let beginnings: (Buffer | undefined)[] = [];

/**
 * Packs into msgpackr's own buffer, over what was packed before: valid until the next call, and until user code runs. No item then costs a buffer,
 * nor every sixty of them 8 KB to be collected.
 *
 * n.b. where msgpackr left off, and not at the buffer's beginning: the user's code may pack with the same msgpackr, and
 * keep what it got.
 */
export function packInPlace(packr: Packr, value: unknown): Uint8Array {
  const target = packr.pack(value, IN_PLACE) as Packed;
  const { start, end } = target;
  givenEnd = end;
  if (target !== given) {
    given = target;
    beginnings = [];
  }
  if (start !== 0 || end > MAX_VIEW_BYTES) return target.subarray(start, end);
  let beginning = beginnings[end];
  if (beginning === undefined) {
    beginning = target.subarray(0, end);
    beginnings[end] = beginning;
  }
  return beginning;
}

/** Packs a copy; what {@link packInPlace} gave last stays as it is. */
export function packAside(packr: Packr, value: unknown): Buffer {
  let at = packr.position;
  const from = Math.max(at, givenEnd);
  packr.position = from;
  try {
    const target = packr.pack(value, IN_PLACE) as Packed;
    if (target !== given) givenEnd = 0;
    // n.b. there was no room left, and msgpackr is at the beginning of another buffer: nothing of anybody's lies in it.
    if (packr.position < from) at = 0;
    return Buffer.from(target.subarray(target.start, target.end));
  } finally {
    packr.position = at;
  }
}

const plain = new Packr({ useRecords: false, moreTypes: true, useBigIntExtension: true });

/** Encodes values that are ours, self-contained: message heads, records, metadata. */
export function packValue(value: unknown): Buffer {
  return packAside(plain, value);
}

/**
 * Reverse of {@link packValue}, of the bytes from `start` to before `end`. Throws what msgpackr throws on bytes
 * that are not MessagePack.
 */
export function unpackValue(bytes: Uint8Array, start = 0, end = bytes.byteLength): unknown {
  return plain.unpack(bytes as Buffer, { start, end } as never);
}
