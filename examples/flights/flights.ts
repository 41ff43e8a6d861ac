/**
 * Reads how many flights went between two airports, joins in where the airports are, adds up by state, and draws a map:
 *
 *   routes (CSV) -> locate (x 2) -> totals: flights-out/states.csv, flights-out/map.svg
 *        \             \
 *         `-------------`-> rejected: flights-out/rejected/…
 *
 *   millrace run examples/flights/flights.ts --param out=flights-out
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type BadRow, type Context, csv, pipeline, type SetupContext } from "millrace";
import { z } from "zod";
import { type Airport, kilometres, readAirports } from "./airports.ts";
import { openTotals, type Totals } from "./totals.ts";
import { writeWhole } from "./write-whole.ts";

const params = z.object({
  /** Files of rows origin,destination,count; a pattern may name several. */
  routes: z.string().default(() => dataset("flights-airport.csv")),
  airports: z.string().default(() => dataset("airports.csv")),
  out: z.string().default("flights-out"),
});
type Params = z.infer<typeof params>;

interface Route {
  readonly origin: string;
  readonly destination: string;
  readonly count: number | null;
}
/** A route between two places. */
export interface Leg {
  /** The same however often the row is read. */
  readonly key: string;
  readonly from: Airport;
  readonly count: number;
  readonly km: number;
}
interface Rejected {
  readonly name: string;
  readonly problem: string;
  readonly row: unknown;
}

const p = pipeline("flights", { params });

// A row that is no route does not end the run: it becomes an item of another kind, and goes another way.
const routes = p.source(
  "routes",
  csv<Route | BadRow, Params>(({ routes }) => routes, {
    types: { count: "number" },
    onBadRow: (row) => row,
  }),
);

const locate = p.stage(
  "locate",
  {
    setup: (ctx: SetupContext<Params>) => readAirports(ctx.params.airports),
    run(route: Route, ctx: Context<Params, Map<string, Airport>>): Leg | Rejected {
      const { origin, destination, count } = route;
      const key = `${origin}-${destination}`;
      const from = ctx.state.get(origin);
      const to = ctx.state.get(destination);
      if (count === null) return { name: key, problem: "the count is missing", row: route };
      if (from === undefined || to === undefined)
        return { name: key, problem: "an airport is not known", row: route };
      return { key, from, count, km: kilometres(from, to) };
    },
  },
  { instances: 2 },
);

const totals = p.sink(
  "totals",
  {
    setup: (ctx: SetupContext<Params>) => openTotals(ctx.params.out, ctx.run),
    run: (legs: Leg[], ctx: Context<Params, Totals>) => ctx.state.add(legs),
    teardown: (state: Totals) => state.finish(),
  },
  { instances: 1, batch: { size: 500, withinMs: 100 } },
);

// A row that comes twice is written twice, to the same file: what stands there in the end is the same.
const rejected = p.sink("rejected", async (item: Rejected | BadRow, ctx: Context<Params>) => {
  const name = "line" in item ? `line-${item.line}` : item.name;
  const folder = join(ctx.params.out, "rejected");
  await writeWhole(join(folder, `${name.replace(/[^\w-]/g, "_")}.json`), JSON.stringify(item, null, 2));
});

const isRoute = (row: Route | BadRow): row is Route => "origin" in row;
const isBadRow = (row: Route | BadRow): row is BadRow => !isRoute(row);
const isLeg = (item: Leg | Rejected): item is Leg => "km" in item;
const isRejected = (item: Leg | Rejected): item is Rejected => !isLeg(item);

routes.to(locate, { when: isRoute });
routes.to(rejected, { when: isBadRow });
locate.to(totals, { when: isLeg });
locate.to(rejected, { when: isRejected });

export default p;

/** A file of the package vega-datasets. */
function dataset(name: string): string {
  const index = createRequire(import.meta.url).resolve("vega-datasets");
  return join(dirname(index), "../data", name);
}
