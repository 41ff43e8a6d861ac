import type { Counts, FailedTask, RunResult } from "../definition/run-result.ts";
import { describeValue } from "../errors.ts";
import { dataFlag } from "./data-flag.ts";
import { compact } from "./display/number-text.ts";
import type { Style } from "./display/style.ts";
import { itemAsJson } from "./item-json.ts";
import { duration, grouped, printable } from "./terminal.ts";

export interface SummaryOptions {
  readonly pipeline: string;
  /** The data directory as it was named; undefined when nothing is kept. */
  readonly data: string | undefined;
  /** What to type to go on with it. */
  readonly command: string;
  /** Characters a line that the table may have. */
  readonly width: number;
  readonly style: Style;
}

/** Why items were processed again, in plain words. */
const REPEATED: Readonly<Record<string, string>> = {
  "instance-died": "in hand when a process died",
  "drain-cut-short": "in hand when a process was stopped before it was done",
  "source-restarted": "given again by a source that was restarted",
  "streams-restarted": "in hand when the streams process was restarted",
  "log-damaged": "settled once, but the log that said so was damaged",
};

/**
 * What stays on the screen after a run: every delivery accounted for, every repeat with its cause, and what to do
 * next. `errors` are those of the lines that are said even when nothing else is.
 */
export function summaryOf(
  result: RunResult,
  options: SummaryOptions,
): { readonly lines: string[]; readonly errors: string[] } {
  const { pipeline, data, command, style } = options;
  const { run, status } = result;
  const mark = status === "completed" ? style.green : status === "failed" ? style.red : style.yellow;
  const lines = [`${style.bold(pipeline)} ${mark(status)} in ${duration(result.durationMs)} (run ${run})`];
  lines.push(...countsTable(result, options));
  const repeats = Object.entries(result.repeats).filter(([, items]) => items > 0);
  for (const [cause, items] of repeats) {
    lines.push(`processed again: ${grouped(items)} ${REPEATED[cause] ?? cause.replaceAll("-", " ")}`);
  }
  for (const [stage, counts] of Object.entries(result.stages)) {
    // n.b. what is pushed for later is counted by nobody yet.
    const left = unsettledOf(counts) || (result.unsettled?.[stage] ?? 0);
    if (left === 0) continue;
    const what = status === "completed" ? " (a bug: please report it)" : data === undefined ? "" : ", kept";
    lines.push(`${stage}: ${grouped(left)} not settled yet${what}`);
  }
  const dead = result.deadLetters;
  if (dead > 0) {
    const look = data === undefined ? "" : `: millrace dead list ${pipeline} --run ${run}${dataFlag(data)}`;
    lines.push(`${style.red(`${grouped(dead)} dead ${dead === 1 ? "letter" : "letters"}`)}${look}`);
  }
  const errors = result.error === undefined ? [] : errorLines(result.error, result.failedTask, style);
  lines.push(...errors);
  if (data === undefined) lines.push(style.dim("data: in memory, gone"));
  else {
    lines.push(style.dim(`data: ${data}/${pipeline}/${run}`));
    if (status !== "completed") lines.push(`the same command resumes this run: ${command}`);
  }
  return { lines, errors };
}

function errorLines(
  { code, name, message }: NonNullable<RunResult["error"]>,
  failedTask: FailedTask | undefined,
  style: Style,
): string[] {
  const lines = [`${style.red("error")} ${code ?? name}  ${printable(message)}`];
  if (failedTask !== undefined) lines.push(...taskLines(failedTask));
  if (code?.startsWith("MR_") === true) lines.push(style.dim(`  more: millrace explain ${code}`));
  return lines;
}

/** What a job has failed with, and where in its code. */
function taskLines({ position, input, error }: FailedTask): string[] {
  const given = input === undefined ? [] : [`  task ${position}: ${describeValue(itemAsJson(input))}`];
  const place = error.stack.split("\n").find((line) => /^\s+at /.test(line));
  return [...given, ...(place === undefined ? [] : [`  ${place.trim()}`])].map(printable);
}

function unsettledOf(counts: Counts): number {
  return (
    counts.accepted - counts.completed - counts.filtered - counts.dead - counts.discarded - counts.quarantined
  );
}

type Column = keyof Counts;
/** Rare ones are shown where there is something in them. */
const RARE = new Set<Column>(["discarded", "quarantined"]);
const COLUMNS: readonly Column[] = [
  "accepted",
  "completed",
  "filtered",
  "dead",
  "discarded",
  "quarantined",
  "emitted",
];
/** What goes first when a terminal is narrow. */
const DISPENSABLE: readonly Column[] = ["emitted", "filtered", "accepted", "discarded", "quarantined"];

function countsTable({ stages }: RunResult, { width, style }: SummaryOptions): string[] {
  const all = Object.entries(stages);
  let columns = COLUMNS.filter((column) => !RARE.has(column) || all.some(([, counts]) => counts[column] > 0));
  const linesOf = (text: (count: number) => string, nameWidth = Number.POSITIVE_INFINITY): string[] =>
    table([
      ["stage", ...columns],
      ...all.map(([name, counts]) => [
        name.length <= nameWidth ? name : `${name.slice(0, nameWidth - 1)}…`,
        ...columns.map((column) => text(counts[column])),
      ]),
    ]);
  const fits = (lines: readonly string[]): boolean => lines.every((line) => line.length <= width);
  let lines = linesOf(grouped);
  if (!fits(lines)) lines = linesOf(compact);
  for (const column of DISPENSABLE) {
    if (fits(lines)) break;
    columns = columns.filter((kept) => kept !== column);
    lines = linesOf(compact);
  }
  if (!fits(lines)) lines = linesOf(compact, Math.max(8, width - 22));
  const [headings = "", ...rows] = lines;
  return [style.dim(headings), ...rows];
}

/** Left-aligned first column, right-aligned others. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}
