import type { ProcessorTime } from "../processor-time.ts";
import type { ArrivalReport } from "./arrivals.ts";
import { expectedTotal } from "./item.ts";

/** What one run of one system gave. */
export interface Figures {
  readonly items: number;
  /** From the source's first item to the sink's last, seconds. */
  readonly seconds: number;
  readonly hopsPerSecond: number;
  readonly cpu: ProcessorTime;
  /** Microseconds of all processes' processor time for one item and one hop. */
  readonly cpuPerHop: number | undefined;
  readonly repeats: number;
}

/** Throws when an item is missing or altered. */
export function figures(items: number, firstAt: number, arrived: ArrivalReport, cpu: ProcessorTime): Figures {
  if (arrived.distinct !== items || arrived.total !== expectedTotal(items)) {
    throw new Error(
      `arrivals: ${arrived.distinct} of ${items} items with a total of ${arrived.total} instead of ` +
        `${expectedTotal(items)}; this run counts for nothing`,
    );
  }
  const seconds = (arrived.lastAt - firstAt) / 1_000;
  return {
    items,
    seconds,
    hopsPerSecond: (items * 2) / seconds,
    cpu,
    cpuPerHop: cpu.seconds === undefined ? undefined : (cpu.seconds * 1e6) / (items * 2),
    repeats: arrived.repeats,
  };
}
