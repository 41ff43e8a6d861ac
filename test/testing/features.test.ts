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

    expect(result).toMatchObject({ status: "completed" });
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

test("items of one key keep their order through failures, redeliveries and deaths, whatever the seed", async () => {
  type Step = { key: string; n: number };
  const items: Step[] = Array.from({ length: 40 }, (_, i) => ({ key: `k${i % 4}`, n: i }));
  const p = pipeline("ordered");
  p.source("feed", () => items).to(
    p.sink(
      "out",
      async ({ n }: Step, ctx) => {
        if (n % 9 === 0 && ctx.item.attempt === 1) throw new Error("once");
      },
      { orderBy: ({ key }) => key, concurrency: 4 },
    ),
  );
  for (let seed = 1; seed <= 20; seed++) {
    const result = await simulate(p, {
      seed,
      instances: { out: 2 },
      faults: { redeliver: 0.1, killAt: { out: [7, 19] } },
    });
    expect(result, `seed ${seed}`).toMatchObject({ status: "completed", dead: [] });
    expect(result.retries.map(({ item }) => (item as Step).n).sort((a, b) => a - b)).toEqual([
      0, 9, 18, 27, 36,
    ]);
    for (const key of ["k0", "k1", "k2", "k3"]) {
      const order = (result.received.out as Step[]).filter((item) => item.key === key).map(({ n }) => n);
      expect(order, `seed ${seed}, key ${key}`).toEqual([...order].sort((a, b) => a - b));
    }
  }
});
