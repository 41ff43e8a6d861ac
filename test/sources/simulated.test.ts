import { expect, test } from "vitest";
import { cron, every, lines, pipeline, type Tick } from "../../src/index.ts";
import { simulate } from "../../src/testing/simulate.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("under a virtual clock ticks come at their times, a day in no time", async () => {
  const p = pipeline("ticks");
  const out = p.sink("out", (_tick: Tick) => undefined);
  p.source("hourly", every("1h")).to(out);
  p.source("nightly", cron("0 3 * * *", { timeZone: "UTC" })).to(out);
  const { received, status } = await simulate(p, { startAt: "2026-03-01T12:00:00Z", until: "24.5h" });
  expect(status).toBe("stopped");
  const ticks = (received.out as Tick[]).sort((a, b) => a.at - b.at || a.n - b.n);
  const noon = Date.UTC(2026, 2, 1, 12);
  expect(ticks.filter(({ at }) => at !== noon + 15 * 3_600_000)).toEqual(
    Array.from({ length: 24 }, (_, i) => ({ at: noon + (i + 1) * 3_600_000, n: i + 1 })).filter(
      ({ n }) => n !== 15,
    ),
  );
  expect(ticks.filter(({ at }) => at === noon + 15 * 3_600_000).map(({ n }) => n)).toEqual([1, 15]);
});

test("a file is read there as well", async () => {
  const { write } = tempFolder();
  const p = pipeline("file");
  p.source("lines", lines(write("x.txt", "a\nb\n"))).to(p.sink("out", (_: string) => undefined));
  const { received } = await simulate(p);
  expect(received.out).toEqual(["a", "b"]);
});
