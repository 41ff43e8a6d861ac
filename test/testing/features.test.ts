import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cron, every, lines, pipeline } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";

test("ticks of every and cron come by the virtual clock, until it is stopped", async () => {
  const p = pipeline("ticks");
  const out = p.sink("out", (_: unknown, ctx) => ctx.item.enqueuedAt);
  p.source("often", every("5m")).to(out);
  p.source("nightly", cron("0 3 * * *")).to(out);
  const result = await simulate(p, { until: "1439m" });

  expect(result.status).toBe("stopped");
  expect(result.received.out).toHaveLength(287 + 1);
  const times = result.calls.map(({ atMs }) => atMs);
  expect(times.slice(0, 3).map((ms) => Math.round(ms / 60_000))).toEqual([5, 10, 15]);
});

test("a source of files reads the real ones", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-simulate-"));
  try {
    writeFileSync(join(folder, "in.txt"), "a\nb\nc\n");
    const p = pipeline("files");
    p.source("feed", lines(join(folder, "in.txt"))).to(p.sink("out", (_: string) => undefined));
    const result = await simulate(p);
    const died = await simulate(p, { faults: { killAt: { feed: 2 } } });

    expect(result).toMatchObject({ status: "completed", durationMs: 0 });
    expect(result.received.out).toEqual(["a", "b", "c"]);
    expect([...new Set(died.received.out)]).toEqual(["a", "b", "c"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("rates and windows of duplicates are those of the virtual clock", async () => {
  const p = pipeline("paced");
  p.source("feed", () => Array.from({ length: 30 }, (_, i) => i % 20)).to(
    p.sink("out", (_: number) => undefined, {
      rate: { limit: 1, perMs: "1m" },
      dedupe: { by: String, windowMs: "1h" },
    }),
  );
  const result = await simulate(p);

  expect(result.stages.out).toMatchObject({ accepted: 30, completed: 20, discarded: 10 });
  const times = result.calls.map(({ atMs }) => atMs);
  const gaps = times.slice(2).map((at, i) => at - (times[i + 1] as number));
  expect(Math.min(...gaps)).toBeGreaterThan(59_000);
  expect(result.durationMs).toBeGreaterThan(18 * 60_000);
});
