import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Airport } from "./airports.ts";
import type { Leg } from "./flights.ts";
import { mapChart } from "./map-chart.ts";
import { writeWhole } from "./write-whole.ts";

/**
 * Sums that a crash does not spoil. A leg may come twice: its process died after the work and before that was noted. So
 * each leg has a key, what was taken is in a journal before the call returns, and what is in it is not taken again.
 */
export class Totals {
  readonly #out: string;
  readonly #journal: FileHandle;
  readonly #legs = new Map<string, Leg>();

  constructor(out: string, journal: FileHandle, lines: readonly string[]) {
    this.#out = out;
    this.#journal = journal;
    for (const line of lines) {
      try {
        const leg = JSON.parse(line) as Leg;
        this.#legs.set(leg.key, leg);
      } catch {
        // Empty, or cut short by a crash: its leg comes again.
      }
    }
  }

  async add(legs: readonly Leg[]): Promise<void> {
    const news = legs.filter(({ key }) => !this.#legs.has(key));
    // A line that a crash cuts short does not spoil the next one, which begins with a line end of its own.
    await this.#journal.appendFile(news.map((leg) => `\n${JSON.stringify(leg)}`).join(""));
    await this.#journal.datasync();
    for (const leg of news) this.#legs.set(leg.key, leg);
  }

  /** Writes what the legs add up to; of a run that was stopped, what they came to so far. */
  async finish(): Promise<void> {
    await this.#journal.close();
    const legs = [...this.#legs.values()];
    const states = grouped(legs, ({ from }) => from.state).map(([state, of]) => {
      const flights = sum(of, ({ count }) => count);
      const km = sum(of, ({ count, km }) => count * km) / flights;
      return { state, airports: new Set(of.map(({ from }) => from.code)).size, flights, km: Math.round(km) };
    });
    states.sort((a, b) => b.flights - a.flights || (a.state < b.state ? -1 : 1));
    const rows = states.map(({ state, airports, flights, km }) => `${state},${airports},${flights},${km}\n`);
    await writeWhole(join(this.#out, "states.csv"), `state,airports,flights,mean_km\n${rows.join("")}`);

    const airports = grouped(legs, ({ from }) => from.code).map(([, of]) => ({
      airport: (of[0] as Leg).from as Airport,
      flights: sum(of, ({ count }) => count),
    }));
    await writeWhole(join(this.#out, "map.svg"), mapChart(airports));
  }
}

/** The journal belongs to the run: resumed, it goes on; a new run has a new one. */
export async function openTotals(out: string, run: string): Promise<Totals> {
  await mkdir(out, { recursive: true });
  const path = join(out, `legs.${run}.journal`);
  const journal = await open(path, "a");
  return new Totals(out, journal, (await readFile(path, "utf8")).split("\n"));
}

function grouped<T>(items: readonly T[], by: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(by(item));
    if (group === undefined) groups.set(by(item), [item]);
    else group.push(item);
  }
  return [...groups];
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
