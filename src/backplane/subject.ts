import { BackplaneError, describeValue } from "../errors.ts";

/**
 * Subjects and names as every implementation takes them; the rules are those of NATS, so that what works in one
 * process works on a grid. A subject is 1 to 16 tokens joined by dots, at most 255 characters.
 */
const TOKEN = /^[A-Za-z0-9_$-]+$/;
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const KEY = /^[A-Za-z0-9_=/-]+(\.[A-Za-z0-9_=/-]+)*$/;
const OBJECT = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;

/** Throws MR_BAD_NAME unless `subject` can be published to. */
export function checkSubject(subject: string): void {
  const tokens = subject.split(".");
  if (subject.length > 255 || tokens.length > 16 || !tokens.every((token) => TOKEN.test(token))) {
    throw badName("subject", subject, "tokens of letters, digits, '-', '_' and '$', joined by dots");
  }
}

/** Throws MR_BAD_NAME unless `pattern` can be subscribed to. */
export function checkPattern(pattern: string): void {
  const tokens = pattern.split(".");
  const last = tokens.length - 1;
  const good = (token: string, at: number) =>
    TOKEN.test(token) || token === "*" || (token === ">" && at === last);
  if (pattern.length > 255 || tokens.length > 16 || !tokens.every(good)) {
    throw badName("subject pattern", pattern, "tokens joined by dots, '*' for one, '>' for the rest");
  }
}

/** Throws MR_BAD_NAME unless it names a bucket, lease or queue. */
export function checkBucket(name: string, what = "bucket"): void {
  if (!BUCKET.test(name)) throw badName(what, name, "letters, digits, '-' and '_', at most 64");
}

/** Throws MR_BAD_NAME unless it is a key: at most 255 letters, digits and `-_=/.`, no dot at an end. */
export function checkKey(key: string): void {
  if (key.length > 255 || !KEY.test(key)) {
    throw badName(
      "key",
      key,
      "at most 255 letters, digits and '-_=/.', no dot at an end; encode anything else",
    );
  }
}

/** Throws MR_BAD_NAME unless it names an object. */
export function checkObjectName(name: string): void {
  if (!OBJECT.test(name))
    throw badName("object name", name, "letters, digits, '-', '_' and '.', at most 128");
}

/** True when a subject falls under a pattern; both must be valid. */
export function matchesSubject(pattern: string, subject: string): boolean {
  if (pattern === subject) return true;
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (let at = 0; at < wanted.length; at++) {
    if (wanted[at] === ">") return tokens.length > at;
    if (at >= tokens.length || (wanted[at] !== "*" && wanted[at] !== tokens[at])) return false;
  }
  return wanted.length === tokens.length;
}

function badName(what: string, value: string, rule: string): BackplaneError {
  return new BackplaneError("MR_BAD_NAME", `${what} ${describeValue(value)}: not a valid name; use ${rule}`);
}
