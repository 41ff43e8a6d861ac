import type { DeadLetter } from "../definition/dead-letter.ts";
import type { ErrorInfo } from "../errors.ts";
import { exactJson } from "./exact-json.ts";
import { itemAsJson } from "./item-json.ts";
import { oneLine, printable } from "./terminal.ts";

/**
 * The documented JSON of a dead letter. `item` is null, beside `raw` in base64, where the bytes cannot be decoded; with
 * `isExact` it is as it can be read back, unless the letter is `inexact`: then JSON cannot hold it.
 */
export function letterAsJson(letter: DeadLetter, isExact = false): Record<string, unknown> {
  const { id, pipeline, run, stage, item, raw, headers, attempts, reason, bundle, path, deadAt } = letter;
  const { replay, edited } = letter;
  const shown = raw !== undefined ? { item: null, raw: raw.toString("base64") } : shownItem(item, isExact);
  return {
    id,
    pipeline,
    run,
    stage,
    ...shown,
    headers,
    attempts: attempts.map(({ at, error }) => ({ at, error: errorAsJson(error) })),
    reason,
    bundle,
    path,
    deadAt,
    ...(replay === 0 ? {} : { replay }),
    ...(edited === undefined ? {} : { edited }),
  };
}

function shownItem(item: unknown, isExact: boolean): { item: unknown; inexact?: true } {
  if (!isExact) return { item: itemAsJson(item) };
  try {
    return { item: exactJson(item) };
  } catch {
    return { item: itemAsJson(item), inexact: true };
  }
}

/** `code` only where the error has one. */
function errorAsJson({ name, message, stack, code }: ErrorInfo): ErrorInfo {
  return { name, message, stack, ...(code === undefined ? {} : { code }) };
}

/** What the table of letters shows of one; not the item, which may be large. */
export interface LetterRow {
  readonly deadAt: number;
  readonly cells: readonly string[];
}

const HEADINGS = ["id", "stage", "reason", "attempts", "error", "when"];
const MAX_ERROR = 80;

export function rowOf(letter: DeadLetter): LetterRow {
  const last = letter.attempts.at(-1)?.error;
  const error = last === undefined ? "" : oneLine(`${last.name}: ${last.message}`, MAX_ERROR);
  return {
    deadAt: letter.deadAt,
    cells: [
      letter.id,
      letter.stage,
      letter.reason,
      String(letter.attempts.length),
      error,
      timeOf(letter.deadAt),
    ],
  };
}

/** The newest rows of a list of any length, in little memory. */
export class NewestRows {
  readonly #limit: number;
  #rows: LetterRow[] = [];
  seen = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(letter: DeadLetter): void {
    this.seen++;
    this.#rows.push(rowOf(letter));
    if (this.#rows.length >= 2 * this.#limit) this.#rows = this.newest();
  }

  /** Newest last. */
  newest(): LetterRow[] {
    return this.#rows.sort((a, b) => a.deadAt - b.deadAt).slice(-this.#limit);
  }
}

/** The table's lines, newest letter last. */
export function* linesOf(rows: LetterRow[]): Generator<string> {
  rows.sort((a, b) => a.deadAt - b.deadAt);
  const table = [HEADINGS, ...rows.map((row) => row.cells)];
  const widths = HEADINGS.map((_, column) =>
    table.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  for (const row of table)
    yield row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
}

/** All that is known of one letter, for people. */
export function describeLetter(letter: DeadLetter, isExact = false): string {
  const {
    id,
    stage,
    pipeline,
    run,
    key,
    headers,
    attempts,
    reason,
    bundle,
    path,
    deadAt,
    enqueuedAt,
    item,
    raw,
    replay,
    edited,
  } = letter;
  const lines = [
    `dead letter ${id}`,
    `  stage     ${stage} of ${pipeline}, run ${run}`,
    `  reason    ${reason}, after ${attempts.length} ${attempts.length === 1 ? "attempt" : "attempts"}`,
    `  enqueued  ${timeOf(enqueuedAt)}`,
    `  died      ${timeOf(deadAt)}`,
    ...(replay === 0 ? [] : [`  replayed  ${replay === 1 ? "once" : `${replay} times`} before`]),
    ...(edited === undefined
      ? []
      : [`  edited    ${timeOf(edited.at)}${edited.by === undefined ? "" : ` by ${edited.by}`}`]),
    ...(key === undefined ? [] : [`  key       ${key}`]),
    ...(Object.keys(headers).length === 0 ? [] : [`  headers   ${JSON.stringify(headers)}`]),
    `  path      ${path.join(" > ")}`,
    `  code      ${bundle}`,
    ...attempts.flatMap(({ at, error }, index) => [
      `  attempt ${index + 1}, ${timeOf(at)}: ${error.name}: ${error.message}`,
      ...stackBelow(error.stack, error.message).map((line) => `    ${line}`),
    ]),
    ...(raw === undefined
      ? ["  item", ...indented(JSON.stringify(shownItem(item, isExact).item, undefined, 2))]
      : [
          `  item: ${raw.length} bytes that cannot be decoded, in base64`,
          ...indented(raw.toString("base64")),
        ]),
  ];
  return printable(lines.join("\n"));
}

function indented(text: string): string[] {
  return text.split("\n").map((line) => `    ${line}`);
}

/** A stack repeats name and message before its first place. */
function stackBelow(stack: string, message: string): string[] {
  const end = message === "" ? 0 : stack.indexOf(message) + message.length;
  const places = stack
    .slice(Math.max(0, end))
    .split("\n")
    .map((line) => line.trim());
  return places.filter((line) => line.startsWith("at "));
}

function timeOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "(unknown)" : date.toISOString();
}
