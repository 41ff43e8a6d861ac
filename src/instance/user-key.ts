import { crypto } from "../env/crypto.ts";
import { describeValue, StageError } from "../errors.ts";

/** A longer key travels as its digest. */
const MAX_KEY = 128;

/**
 * A key that a user's function gave: `whose` names the function. Throws StageError MR_BAD_RETURN when it is no text.
 */
export function userKey(whose: string, key: unknown): string {
  if (typeof key === "string")
    return key.length <= MAX_KEY ? key : crypto().createHash("sha256").update(key).digest("base64url");
  if (key instanceof Promise) key.catch(() => undefined);
  const what = key instanceof Promise ? "a promise" : describeValue(key);
  throw new StageError("MR_BAD_RETURN", `${whose} gave back ${what}; give back a text, at once`, {
    scope: "item",
  });
}
