// What the compiler must infer from the ready-made sources. Compiled by `npm run check`.
import { z } from "zod";
import {
  type BadRow,
  cron,
  csv,
  every,
  type FoundFile,
  files,
  lines,
  ndjson,
  pipeline,
  type Source,
  type Tick,
} from "../../src/index.ts";
import { type Equal, expectType } from "./equal.ts";

interface Flight {
  readonly origin: string;
  readonly delay: number | null;
}

export function sources(): void {
  const p = pipeline("sources", { params: z.object({ file: z.string(), n: z.number() }) });

  const text = p.source("text", lines("a.txt"));
  expectType<Equal<typeof text, Source<string>>>();
  const named = p.source("named", lines(new URL("./a.txt", import.meta.url), { encoding: "latin1" }));
  expectType<Equal<typeof named, Source<string>>>();
  const tens = p.source("tens", lines("a.txt", { group: 10 }));
  expectType<Equal<typeof tens, Source<string[]>>>();
  const byParams = p.source(
    "by-params",
    lines(({ file }: { file: string }) => file),
  );
  expectType<Equal<typeof byParams, Source<string>>>();
  const flights = p.source("flights", csv<Flight>(["a.csv", "b.csv"], { types: { delay: "number" } }));
  expectType<Equal<typeof flights, Source<Flight>>>();
  const rows = p.source("rows", csv("a.csv"));
  expectType<Equal<typeof rows, Source<Record<string, string>>>>();
  const kept = p.source("kept", ndjson<Flight | BadRow>("a.ndjson", { onBadRow: (row) => row }));
  expectType<Equal<typeof kept, Source<Flight | BadRow>>>();
  const images = p.source("images", files("*.png", { allowEmpty: true }));
  expectType<Equal<typeof images, Source<FoundFile>>>();
  const ticks = p.source("ticks", every("5m", { missed: "skip" }));
  expectType<Equal<typeof ticks, Source<Tick>>>();
  const nights = p.source("nights", cron("0 3 * * *", { timeZone: "Europe/Berlin" }));
  expectType<Equal<typeof nights, Source<Tick>>>();

  const byFolder = lines(({ folder }: { folder: string }) => folder);
  // @ts-expect-error the pipeline has no such param
  p.source("mistaken", byFolder);
  // @ts-expect-error there is no such column
  csv<Flight>("a.csv", { types: { delays: "number" } });
  // @ts-expect-error what stands for a bad row is an item too
  csv<Flight>("a.csv", { onBadRow: (row) => row.text });
  // @ts-expect-error a unit is missing
  every("5");
}
