import type { RunResult } from "../definition/run-result.ts";
import { duration, grouped, printable } from "./terminal.ts";

const COLUMNS = ["accepted", "completed", "filtered", "dead", "discarded", "quarantined", "emitted"] as const;

/** What stays on the screen after a run: every delivery accounted for, every repeat with its cause. */
export function summaryOf(result: RunResult, pipeline: string, dataNote: string): string[] {
  const lines = [`${pipeline} ${result.status} in ${duration(result.durationMs)} (run ${result.run})`];
  const rows = Object.entries(result.stages).map(([stage, counts]) => [
    stage,
    ...COLUMNS.map((column) => grouped(counts[column])),
  ]);
  lines.push(...table([["stage", ...COLUMNS], ...rows]));
  const repeats = Object.entries(result.repeats).filter(([, items]) => items > 0);
  if (repeats.length > 0) {
    lines.push(
      `processed again: ${repeats.map(([cause, items]) => `${grouped(items)} ${cause}`).join(", ")}`,
    );
  }
  const unaccounted = Object.entries(result.stages).filter(([, counts]) => unsettledOf(counts) !== 0);
  for (const [stage, counts] of unaccounted) {
    lines.push(
      `${stage}: ${grouped(unsettledOf(counts))} not settled yet${result.status === "completed" ? " (a bug: please report it)" : ", kept"}`,
    );
  }
  const dead = Object.values(result.stages).reduce((sum, counts) => sum + counts.dead, 0);
  if (dead > 0)
    lines.push(
      `${grouped(dead)} dead letters: millrace dead list ${pipeline} --run ${result.run}${dataNote}`,
    );
  if (result.error !== undefined)
    lines.push(`error ${result.error.code ?? result.error.name}  ${printable(result.error.message)}`);
  if (result.status !== "completed") lines.push("the same command resumes this run");
  return lines;
}

function unsettledOf(counts: RunResult["stages"][string]): number {
  return (
    counts.accepted - counts.completed - counts.filtered - counts.dead - counts.discarded - counts.quarantined
  );
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
