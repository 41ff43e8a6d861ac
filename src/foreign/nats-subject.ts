import { describeValue } from "../errors.ts";
import { beyondHelp } from "./codec.ts";

const FORBIDDEN = /[\s\0]/;

/** Whether messages of it can be asked for: `orders.new`, `orders.*`, `orders.>`. */
export function isPattern(value: unknown): value is string {
  return (
    typeof value === "string" &&
    !FORBIDDEN.test(value) &&
    value.split(".").every((token, i, all) => token !== "" && (token !== ">" || i === all.length - 1))
  );
}

/** Whether messages can be sent to it. */
export function isSubject(value: unknown): value is string {
  return isPattern(value) && value.split(".").every((token) => token !== "*" && token !== ">");
}

/** The subject for an item. Throws what makes of it a dead letter. */
export function subjectFor(subject: string | ((item: unknown) => unknown), item: unknown): string {
  const target = typeof subject === "string" ? subject : subject(item);
  if (isSubject(target)) return target;
  throw beyondHelp(
    "MR_NOT_ENCODABLE",
    `toQueue(): subject() gave ${describeValue(target)}, which is no subject to send to; give names with dots between them`,
  );
}

/** Whether a subject is one of those that a pattern with wildcards means. */
export function matches(subject: string, pattern: string): boolean {
  const tokens = subject.split(".");
  const wanted = pattern.split(".");
  if (wanted.at(-1) === ">")
    return (
      tokens.length >= wanted.length &&
      wanted.slice(0, -1).every((each, i) => each === "*" || each === tokens[i])
    );
  return tokens.length === wanted.length && wanted.every((each, i) => each === "*" || each === tokens[i]);
}
