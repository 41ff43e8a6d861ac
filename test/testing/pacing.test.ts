import { pipeline } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** The most calls that any second saw. */
function mostWithinASecond(at: readonly number[]): number {
  return Math.max(...at.map((from) => at.filter((time) => time >= from && time < from + 1_000).length));
}

test("a rate holds over two instances, a death and retries: never more in a second, and hardly less", async () => {
  const p = pipeline("rate");
  const failed = new Set<number>();
  p.source("feed", () => numbers(200)).to(
    p.sink(
      "limited",
      (n: number) => {
        if (n % 10 !== 3 || failed.has(n)) return;
        failed.add(n);
        throw new Error("once more");
      },
      { rate: { limit: 10, perMs: 1_000 }, instances: 2, retry: { backoff: { initialMs: 10 } } },
    ),
  );
  const { status, calls, durationMs } = await simulate(p, { faults: { killAt: { limited: 50 } } });

  expect(status).toBe("completed");
  const at = calls.map(({ atMs }) => atMs);
  expect(at.length).toBeGreaterThanOrEqual(220);
  expect(mostWithinASecond(at)).toBeLessThanOrEqual(11);
  expect(durationMs).toBeGreaterThan((at.length / 10) * 1_000 * 0.95);
  expect(durationMs).toBeLessThan((at.length / 10) * 1_000 * 1.07);
});

test("an outage is waited out without an attempt used up; one of five minutes ends the run, items kept", async () => {
  const outage = (badCalls: number) => {
    let calls = 0;
    const p = pipeline("outage");
    p.source("feed", () => numbers(500)).to(
      p.sink(
        "out",
        (_: number) => {
          if (calls++ < badCalls) throw new Error("connection refused");
        },
        { breaker: { share: 0.9, after: 100 }, retry: { attempts: 2 } },
      ),
    );
    return simulate(p);
  };
  const endless = await outage(Number.POSITIVE_INFINITY);

  expect(endless).toMatchObject({ status: "failed", error: { code: "MR_BREAKER_OPEN" }, dead: [] });
  expect(Math.round(endless.durationMs / 1_000)).toBe(300);
  const probes = endless.calls.map(({ atMs }) => Math.round(atMs / 1_000)).filter((second) => second > 0);
  expect(probes.slice(0, 6)).toEqual([1, 3, 7, 15, 31, 61]);

  // The same, until the fourth probe.
  const short = await outage(endless.calls.length - probes.length + 3);
  expect(short).toMatchObject({ status: "completed", dead: [] });
  expect(short.stages.out).toMatchObject({ accepted: 500, completed: 500 });
  expect(Math.round(short.durationMs / 1_000)).toBe(15);
  // Those that failed before it opened have one failed attempt; the probes have left no trace.
  expect(short.retries.length).toBe(endless.calls.length - probes.length);
});
