import { spread } from "../spread.ts";
import type { Figures } from "./figures.ts";

const WIDTHS = [9, 10, 10, 9, 13, 10, 14, 9] as const;

export function printHead(): void {
  printRow(["", "", "items", "wall s", "item-hops/s", "CPU s", "CPU µs/hop", "repeats"]);
}

export function printRound(round: number, system: string, figures: Figures): void {
  const { items, seconds, hopsPerSecond, cpu, cpuPerHop, repeats } = figures;
  const time = [
    seconds.toFixed(2),
    count(hopsPerSecond),
    cpu.seconds?.toFixed(2) ?? "?",
    cpuPerHop?.toFixed(2) ?? "?",
  ];
  printRow([`round ${round}`, system, count(items), ...time, count(repeats)]);
}

/** Prints what all rounds gave together; returns the median ratio, ours to theirs. */
export function printSummary(ours: readonly Figures[], theirs: readonly Figures[]): number {
  console.log();
  printRow(["", "", "min", "median", "max"]);
  const rate = (each: Figures) => each.hopsPerSecond;
  printSpread("BullMQ", theirs.map(rate), (value) => `${count(value)}/s`);
  printSpread("millrace", ours.map(rate), (value) => `${count(value)}/s`);
  const pairs = ours.map((each, round) => [each, theirs[round] as Figures] as const);
  const ratios = pairs.map(([our, their]) => our.hopsPerSecond / their.hopsPerSecond);
  const cpuRatios = pairs.map(
    ([our, their]) => (their.cpuPerHop ?? Number.NaN) / (our.cpuPerHop ?? Number.NaN),
  );
  printSpread("ratio", ratios, (value) => value.toFixed(1));
  if (cpuRatios.every(Number.isFinite)) printSpread("CPU ratio", cpuRatios, (value) => value.toFixed(1));
  console.log("\nprocessor time by process, last round:");
  printProcesses(theirs.at(-1));
  printProcesses(ours.at(-1));
  return spread(ratios).median;
}

function printSpread(name: string, values: readonly number[], format: (value: number) => string): void {
  const { min, median, max } = spread(values);
  printRow(["", name, format(min), format(median), format(max)]);
}

function printProcesses(figures: Figures | undefined): void {
  const shown = [...(figures?.cpu.byProcess ?? [])].filter(([, seconds]) => seconds >= 0.05);
  console.log(`  ${shown.map(([label, seconds]) => `${label} ${seconds.toFixed(2)} s`).join(" · ")}`);
}

function printRow(cells: readonly string[]): void {
  const padded = cells.map((cell, at) =>
    at < 2 ? cell.padEnd(WIDTHS[at] ?? 0) : ` ${cell}`.padStart(WIDTHS[at] ?? 0),
  );
  console.log(padded.join("").trimEnd());
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
