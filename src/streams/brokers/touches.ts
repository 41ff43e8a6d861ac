import type { EntryHead } from "../embedded/ledger-entry.ts";

/**
 * What of the ledger an entry touches in a way that the order of two entries matters: a stream out of which it takes
 * items, one into which it puts some, a record, a blob. To put into a stream and to take out of it are two things:
 * what is taken was put there by an entry that is committed.
 */
export function touchesOf({ s, m, a, q, r, b }: EntryHead): Set<string> {
  const touches = new Set<string>();
  for (const [stream] of s ?? []) touches.add(`from ${stream}`);
  for (const [stream] of m ?? []) touches.add(`from ${stream}`);
  for (const [stream] of a ?? []) touches.add(`into ${stream}`);
  for (const [stream] of q ?? []) touches.add(`into ${stream}`);
  for (const [key] of r ?? []) touches.add(`record ${key}`);
  for (const [blob] of b ?? []) touches.add(`blob ${blob}`);
  return touches;
}
