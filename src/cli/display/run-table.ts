import { grouped } from "../terminal.ts";
import { compact, elapsed, estimate, rate } from "./number-text.ts";
import { busiest, type RunView, type StageRow } from "./run-view.ts";
import type { Style } from "./style.ts";

export interface TableSize {
  /** Characters a line; no line is longer. */
  readonly width: number;
  /** Lines; there are no more. */
  readonly height: number;
}

type Cell = (row: StageRow, isCompact: boolean) => string;
interface Column {
  readonly heading: string;
  /** What stays longest when there is little room: the lowest. */
  readonly priority: number;
  readonly cell: Cell;
  readonly mark?: (row: StageRow, style: Style) => ((text: string) => string) | undefined;
}

const NONE = "-";
const number = (value: number, isCompact: boolean): string => (isCompact ? compact(value) : grouped(value));

const COLUMNS: readonly Column[] = [
  { heading: "in", priority: 5, cell: (row, c) => (row.in === undefined ? NONE : number(row.in, c)) },
  { heading: "out", priority: 3, cell: (row, c) => number(row.out, c) },
  {
    heading: "waiting",
    priority: 1,
    cell: (row, c) => (row.kind === "source" ? NONE : number(row.waiting, c)),
  },
  {
    heading: "per s",
    priority: 4,
    cell: (row, c) => (row.perSecond === undefined ? NONE : rate(row.perSecond, c)),
  },
  {
    heading: "drains in",
    priority: 6,
    cell: ({ drainsInMs }) => (drainsInMs === undefined ? NONE : estimate(drainsInMs)),
  },
  { heading: "instances", priority: 8, cell: (row) => String(row.instances) },
  {
    heading: "retried",
    priority: 7,
    cell: (row, c) => number(row.retried, c),
    mark: (row, style) => (row.retried > 0 ? style.yellow : undefined),
  },
  {
    heading: "dead",
    priority: 2,
    cell: (row, c) => number(row.dead, c),
    mark: (row, style) => (row.dead > 0 ? style.red : undefined),
  },
];

const GAP = 2;
/** Shorter than this a name says little: then a column has to go instead. */
const SHORT_NAME = 12;
const MAX_BARS = 3;

/** The live table of a run: head, stages, progress. Never wider or higher than `size`. */
export function runTable(view: RunView, size: TableSize, style: Style): string[] {
  const width = Math.max(8, size.width);
  const bars = barsOf(view, width, style).slice(0, size.height < 8 ? 1 : MAX_BARS);
  const room = Math.max(1, size.height - 2 - bars.length);
  const few = busiest(view.stages, view.stages.length <= room ? room : room - 1);
  const lines = [head(view, width, style), ...stageLines(few.shown, width, style)];
  if (few.more > 0) lines.push(style.dim(clip(`… ${few.more} more`, width)));
  return [...lines, ...bars].slice(0, Math.max(1, size.height));
}

function head(view: RunView, width: number, style: Style): string {
  const { pipeline, run, status, elapsedMs, leftMs, tasks } = view;
  const left = leftMs === undefined ? [] : [`about ${estimate(leftMs)} left`];
  // n.b. with a total they have a bar.
  const done = tasks !== undefined && tasks.total === undefined ? [`${grouped(tasks.done)} tasks done`] : [];
  const rest = [status, elapsed(elapsedMs), ...done, ...left, `run ${run}`];
  const name = clip(pipeline, width);
  let text = "";
  for (const part of rest) {
    if (name.length + text.length + part.length + 3 > width) break;
    text += ` · ${part}`;
  }
  return `${style.bold(name)}${text}`;
}

function stageLines(rows: readonly StageRow[], width: number, style: Style): string[] {
  const { columns, isCompact, nameWidth } = layout(rows, width);
  const widths = columns.map((column) => columnWidth(column, rows, isCompact));
  const line = (name: string, cells: readonly string[]): string =>
    `${clip(name, nameWidth).padEnd(nameWidth)}${cells.map((cell) => " ".repeat(GAP) + cell).join("")}`;
  const headings = columns.map((column, at) => column.heading.padStart(widths[at] ?? 0));
  return [
    style.dim(line("stage", headings)),
    ...rows.map((row) =>
      line(
        row.name,
        columns.map((column, at) => {
          const cell = column.cell(row, isCompact).padStart(widths[at] ?? 0);
          return column.mark?.(row, style)?.(cell) ?? cell;
        }),
      ),
    ),
  ];
}

/** All columns with whole numbers if there is room, else short numbers, else fewer columns. */
function layout(
  rows: readonly StageRow[],
  width: number,
): { readonly columns: readonly Column[]; readonly isCompact: boolean; readonly nameWidth: number } {
  const longest = Math.max("stage".length, ...rows.map((row) => row.name.length));
  const taken = (columns: readonly Column[], isCompact: boolean): number =>
    columns.reduce((sum, column) => sum + GAP + columnWidth(column, rows, isCompact), 0);
  if (longest + taken(COLUMNS, false) <= width) {
    return { columns: COLUMNS, isCompact: false, nameWidth: longest };
  }
  let columns = COLUMNS;
  while (columns.length > 0 && Math.min(longest, SHORT_NAME) + taken(columns, true) > width) {
    const least = Math.max(...columns.map((column) => column.priority));
    columns = columns.filter((column) => column.priority !== least);
  }
  return { columns, isCompact: true, nameWidth: Math.min(longest, width - taken(columns, true)) };
}

function columnWidth(column: Column, rows: readonly StageRow[], isCompact: boolean): number {
  return rows.reduce(
    (width, row) => Math.max(width, column.cell(row, isCompact).length),
    column.heading.length,
  );
}

const BAR = 30;
const MIN_BAR = 6;

/** Of the tasks of a job, and of every source that knows its size. */
function barsOf({ stages, tasks }: RunView, width: number, style: Style): string[] {
  const known: { label: string; done: number; total: number }[] = [];
  if (tasks?.total !== undefined && tasks.total > 0) {
    known.push({ label: "tasks", done: tasks.done, total: tasks.total });
  }
  for (const { name, kind, progress } of stages) {
    if (kind === "source" && progress !== undefined) known.push({ label: name, ...progress });
  }
  return known.map(({ label, done, total }) => {
    const share = Math.min(1, done / total);
    const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
    const long = ` ${percent}  ${label} ${grouped(done)} of ${grouped(total)}`;
    const text =
      width - long.length >= MIN_BAR ? long : clip(` ${percent} ${label}`, Math.max(8, width - MIN_BAR));
    const bar = Math.min(BAR, width - text.length);
    if (bar < MIN_BAR) return clip(text.trim(), width);
    const full = Math.round(bar * share);
    return `${style.green("█".repeat(full))}${style.dim("░".repeat(bar - full))}${text}`;
  });
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
