import { createHash } from "node:crypto";
import { describeValue, StageError } from "../errors.ts";
import type { Target } from "./edges.ts";

/** A longer key travels as its digest. */
const MAX_KEY = 128;

/**
 * The key by which a stage's `dedupe` knows an item; undefined: its id, or there is no `dedupe`. Throws what the user's function throws, StageError
 * MR_BAD_RETURN when what it gives back is no text.
 */
export function dedupeKeyOf(target: Target, item: unknown): string | undefined {
  if (target.dedupeBy === undefined) return undefined;
  const key = target.dedupeBy(item);
  if (typeof key !== "string") {
    if (key instanceof Promise) key.catch(() => undefined);
    throw new StageError(
      "MR_BAD_RETURN",
      `stage ${target.stream}: its dedupe.by gave back ${key instanceof Promise ? "a promise" : describeValue(key)}; give back a text, at once`,
      { scope: "item" },
    );
  }
  return key.length <= MAX_KEY ? key : createHash("sha256").update(key).digest("base64url");
}
