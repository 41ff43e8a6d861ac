/** The kinds of values that options take. */
import { parseDuration } from "./duration.ts";
import { group, optional, type Place, type Rule, refusal, required, rule, standard } from "./rule.ts";
import { parseSize } from "./size.ts";

/** Timers cannot wait longer: 2^31 - 1 milliseconds. */
const LONGEST_MS = 2_147_483_647;

/** `max` of what has no limit of its own: the run decides. A number, since settings cross processes as JSON. */
export const BY_THE_RUN: number = Number.MAX_SAFE_INTEGER;

/** As far as `concurrency: "auto"` may go. */
export const AUTO_CONCURRENCY = 256;

export interface Span {
  readonly min: number;
  readonly max: number;
}

export function wholeNumber(min: number): Rule<number> {
  return rule(`a whole number of at least ${min}`, (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= min ? value : undefined,
  );
}

export function numberFrom(min: number): Rule<number> {
  return rule(`a number of at least ${min}`, (value) =>
    typeof value === "number" && Number.isFinite(value) && value >= min ? value : undefined,
  );
}

/** Milliseconds or `"5m"`. */
export function duration(minMs: number): Rule<number> {
  return rule(`milliseconds or a text like "200ms", "30s" or "5m", from ${minMs} ms to 24 days`, (value) => {
    const milliseconds = parseDuration(value);
    const fits = milliseconds !== undefined && milliseconds >= minMs && milliseconds <= LONGEST_MS;
    return fits ? milliseconds : undefined;
  });
}

/** Bytes or `"512MB"`. */
export function size(min: string): Rule<number> {
  const minBytes = parseSize(min) ?? 0;
  return rule(`bytes or a text like "512MB" or "4GB", at least ${min}`, (value) => {
    const bytes = parseSize(value);
    return bytes !== undefined && bytes >= minBytes ? bytes : undefined;
  });
}

/** True or false. */
export const flag: Rule<boolean> = rule("true or false", (value) =>
  typeof value === "boolean" ? value : undefined,
);

export function oneOf<const T extends string>(...choices: readonly T[]): Rule<T> {
  return rule(choices.map((choice) => `"${choice}"`).join(" or "), (value) =>
    choices.find((choice) => choice === value),
  );
}

/** A function; what it takes and returns is up to the types. */
export function functionLike<T>(): Rule<T> {
  return rule("a function", (value) => (typeof value === "function" ? (value as T) : undefined));
}

const LOW = standard(wholeNumber(1), 1, "Never fewer.");

/** Calls in flight: a number, `{ min, max }` or `"auto"`. */
export const concurrency: Rule<Span> = {
  expects: 'a whole number of at least 1, { min, max } or "auto"',
  read(value, place) {
    if (value === "auto") return { min: 1, max: AUTO_CONCURRENCY };
    return readSpan(BOUNDED, this.expects, value, place);
  },
};

/** Processes: a number or `{ min, max }`, whose `max` may be left to the run. */
export const instances: Rule<Span> = {
  expects: "a whole number of at least 1 or { min, max }",
  read(value, place) {
    return readSpan(OPEN, this.expects, value, place);
  },
};

const BOUNDED = group({ min: LOW, max: required(wholeNumber(1), "Never more.") }, ordered);

const OPEN = group({ min: LOW, max: optional(wholeNumber(1), "Never more.") }, ({ min, max }, place) =>
  ordered({ min, max: max ?? BY_THE_RUN }, place),
);

function readSpan(range: Rule<Span>, expects: string, value: unknown, place: Place): Span {
  if (typeof value === "object" && value !== null) return range.read(value, place);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1)
    return { min: value, max: value };
  throw refusal(place, expects, value);
}

function ordered(span: Span, place: Place): Span {
  if (span.min > span.max) throw refusal(place, "{ min, max } with min up to max", span);
  return span;
}
