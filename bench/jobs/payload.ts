import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

export const PAYLOAD_BYTES = 64 * 1024;
/** Different payloads; a payload is one of these, so that making them costs next to nothing. */
const KINDS = 97;
const made: Buffer[] = [];

/** The payload of a task: bytes that do not shrink. */
export function payloadOf(id: number): Buffer {
  const kind = id % KINDS;
  made[kind] ??= Buffer.concat(
    Array.from({ length: PAYLOAD_BYTES / 64 }, (_, n) =>
      createHash("sha512").update(`${kind}.${n}`).digest(),
    ),
  );
  return made[kind];
}

/** What the results of so many tasks add up to. */
export function expectedSum(tasks: number): number {
  let sum = 0;
  for (let id = 0; id < tasks; id++) sum += crcOf(id % KINDS);
  return sum;
}

const crcs: number[] = [];

function crcOf(kind: number): number {
  crcs[kind] ??= crc32(payloadOf(kind));
  return crcs[kind];
}
