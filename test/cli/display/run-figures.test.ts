import { expect, test } from "vitest";
import { RunFigures } from "../../../src/cli/display/run-figures.ts";
import { runLine } from "../../../src/cli/display/run-line.ts";
import { job } from "../../../src/definition/job.ts";
import { pipeline } from "../../../src/definition/pipeline.ts";
import { DEFINITION, type PipelineShape } from "../../../src/definition/shape.ts";
import { shapeOf } from "../../../src/definition/shape-of.ts";

function ordersShape(): PipelineShape {
  const p = pipeline("orders");
  p.source("feed", () => [1])
    .to(p.stage("check", (n: number) => n))
    .to(p.sink("ledger", () => undefined));
  return shapeOf(p[DEFINITION]());
}

const NOW = { status: "running", elapsedMs: 10_000, instancesOf: () => 1 };

/** A source at 100 a second, a stage at 50, a sink that does nothing. */
function after(seconds: number): RunFigures {
  const figures = new RunFigures(ordersShape(), "r1");
  for (let s = 0; s <= seconds; s++) {
    figures.noteProgress("feed", 100 * s, 1_500);
    figures.note(s * 1_000, {
      counts: {
        feed: { emitted: 100 * s },
        check: { accepted: 100 * s, completed: 50 * s, emitted: 50 * s, retried: 2 },
        ledger: { accepted: 50 * s },
      },
      streams: [
        { name: "check", unsettled: 50 * s },
        { name: "ledger", unsettled: 50 * s },
      ],
    });
  }
  return figures;
}

test("rates, what waits and how long it will take come from what was counted", () => {
  const [feed, check, ledger] = after(10).view(NOW).stages;

  expect(feed).toMatchObject({ in: undefined, out: 1_000, progress: { done: 1_000, total: 1_500 } });
  expect(feed?.perSecond).toBeCloseTo(100);
  expect(check).toMatchObject({ in: 1_000, out: 500, waiting: 500, retried: 2, dead: 0, instances: 1 });
  expect(check?.perSecond).toBeCloseTo(50);
  expect(check?.drainsInMs).toBeCloseTo(10_000);
  expect(ledger).toMatchObject({ out: 0, waiting: 500, perSecond: 0, drainsInMs: Number.POSITIVE_INFINITY });
});

test("before anything has moved nothing is said of how long it takes", () => {
  const [, check] = after(0).view(NOW).stages;
  const [, , ledger] = after(2).view(NOW).stages;

  expect(check).toMatchObject({ perSecond: undefined, drainsInMs: undefined });
  expect(ledger).toMatchObject({ perSecond: undefined, drainsInMs: undefined });
});

test("what is left is the longest of what the sources and the stages still need", () => {
  const figures = after(10);
  const isQuick = {
    check: { accepted: 1_000, completed: 1_000 },
    ledger: { accepted: 1_000, completed: 1_000 },
  };
  figures.note(10_500, { counts: { feed: { emitted: 1_000 }, ...isQuick }, streams: [] });

  const left = figures.view(NOW).leftMs ?? 0;
  expect(left).toBeGreaterThan(4_000);
  expect(left).toBeLessThan(7_000);
});

test("how long it takes is not guessed when a source does not know its size", () => {
  const figures = after(10);
  figures.noteProgress("feed", 1_000, undefined);

  expect(figures.view(NOW).leftMs).toBeUndefined();
});

test("a job's tasks: how many there are is known when its split is over", () => {
  const shape = shapeOf(job("rows", { process: (row: string) => row.length })[DEFINITION]());
  const figures = new RunFigures(shape, "r1");
  const counts = { split: { emitted: 8 }, process: { accepted: 8, completed: 4, dead: 1 }, combine: {} };
  figures.note(0, { counts, streams: [] });

  expect(figures.view(NOW).tasks).toEqual({ done: 5, total: undefined });
  const instancesOf = (stage: string): number => (stage === "split" ? 0 : 1);
  expect(figures.view({ ...NOW, instancesOf }).tasks).toEqual({ done: 5, total: 8 });
  expect(after(1).view(NOW).tasks).toBeUndefined();
});

test("a resumed run's rate is that of this life", () => {
  const figures = new RunFigures(ordersShape(), "r1");
  for (const [ms, emitted] of [
    [0, 1_000_000],
    [1_000, 1_000_010],
  ] as const) {
    figures.note(ms, { counts: { feed: { emitted } }, streams: [] });
  }

  expect(figures.view(NOW).stages[0]?.perSecond).toBeCloseTo(10);
});

test("the same in one line", () => {
  expect(runLine(after(10).view(NOW))).toBe(
    "orders running, 10 s: feed 1,000 (66 %), 100/s · check 500, 50/s, 500 waiting, 2 retried · ledger 0, 500 waiting",
  );
});
