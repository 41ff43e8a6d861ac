import fc from "fast-check";
import { expect, test } from "vitest";
import { runTable } from "../../../src/cli/display/run-table.ts";
import type { RunView, StageRow } from "../../../src/cli/display/run-view.ts";
import { COLOURED, PLAIN } from "../../../src/cli/display/style.ts";

function stage(name: string, row: Partial<StageRow> = {}): StageRow {
  return {
    name,
    kind: "stage",
    in: 0,
    out: 0,
    waiting: 0,
    perSecond: undefined,
    drainsInMs: undefined,
    instances: 1,
    retried: 0,
    dead: 0,
    progress: undefined,
    ...row,
  };
}

const ORDERS: RunView = {
  pipeline: "orders",
  run: "20260102-030405-abcdef",
  status: "running",
  elapsedMs: 12_345,
  leftMs: 61_000,
  tasks: undefined,
  stages: [
    stage("feed", {
      kind: "source",
      in: undefined,
      out: 1_234_567,
      perSecond: 35_211.4,
      progress: { done: 1_234_567, total: 2_000_000 },
    }),
    stage("check-the-totals-of-all-orders", {
      in: 1_234_567,
      out: 1_200_000,
      waiting: 34_517,
      perSecond: 34_000,
      drainsInMs: 1_015,
      instances: 4,
      retried: 12,
      dead: 3,
    }),
    stage("ledger", {
      kind: "sink",
      in: 1_200_000,
      out: 900_000,
      waiting: 300_000,
      perSecond: 0.25,
      drainsInMs: Number.POSITIVE_INFINITY,
    }),
  ],
};

const at = (width: number, view = ORDERS, height = 24): string[] => runTable(view, { width, height }, PLAIN);

test("with room everything is shown in whole numbers", () => {
  expect(at(120)).toEqual([
    "orders · running · 12 s · about 1 min left · run 20260102-030405-abcdef",
    "stage                                  in        out  waiting   per s  drains in  instances  retried  dead",
    "feed                                    -  1,234,567        -  35,211          -          1        0     0",
    "check-the-totals-of-all-orders  1,234,567  1,200,000   34,517  34,000        1 s          4       12     3",
    "ledger                          1,200,000    900,000  300,000     0.3      never          1        0     0",
    "███████████████████░░░░░░░░░░░  61 %  feed 1,234,567 of 2,000,000",
  ]);
});

test("with less room numbers are short, then names, then columns go, the least important first", () => {
  expect(at(79)).toEqual([
    "orders · running · 12 s · about 1 min left · run 20260102-030405-abcdef",
    "stage             in   out  waiting  per s  drains in  instances  retried  dead",
    "feed               -  1.2M        -  35.2k          -          1        0     0",
    "check-the-tot…  1.2M  1.2M    34.5k    34k        1 s          4       12     3",
    "ledger          1.2M  900k     300k    0.3      never          1        0     0",
    "███████████████████░░░░░░░░░░░  61 %  feed 1,234,567 of 2,000,000",
  ]);
  expect(at(60)).toEqual([
    "orders · running · 12 s · about 1 min left",
    "stage              in   out  waiting  per s  drains in  dead",
    "feed                -  1.2M        -  35.2k          -     0",
    "check-the-tota…  1.2M  1.2M    34.5k    34k        1 s     3",
    "ledger           1.2M  900k     300k    0.3      never     0",
    "███████████████░░░░░░░░░░  61 %  feed 1,234,567 of 2,000,000",
  ]);
  expect(at(40)).toEqual([
    "orders · running · 12 s",
    "stage          out  waiting  per s  dead",
    "feed          1.2M        -  35.2k     0",
    "check-the-t…  1.2M    34.5k    34k     3",
    "ledger        900k     300k    0.3     0",
    "██████████████████░░░░░░░░░░░  61 % feed",
  ]);
});

test("of more stages than there are lines the busiest are shown, in their order, and how many more there are", () => {
  const stages = Array.from({ length: 30 }, (_, i) =>
    stage(`stage-${i}`, { waiting: i % 7 === 3 ? 100 + i : 0 }),
  );

  expect(at(60, { ...ORDERS, leftMs: undefined, stages }, 7).map((line) => line.split("  ")[0])).toEqual([
    "orders · running · 12 s · run 20260102-030405-abcdef",
    "stage",
    "stage-3",
    "stage-10",
    "stage-17",
    "stage-24",
    "… 26 more",
  ]);
});

test("a job shows its tasks", () => {
  const view = { ...ORDERS, stages: [], tasks: { done: 3, total: 12 } };

  expect(at(60, view).at(-1)).toBe("████████░░░░░░░░░░░░░░░░░░░░░░  25 %  tasks 3 of 12");
  // How many there are is not known while they are still being split.
  expect(at(60, { ...view, tasks: { done: 3, total: undefined } })[0]).toMatch(/ · 3 tasks done · /);
});

test("no line is longer than the terminal is wide, there are no more than it is high, and colours change no text", () => {
  const count = fc.nat({ max: 1e13 });
  const rate = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined });
  const row = fc.record<StageRow>({
    name: fc.stringMatching(/^[a-z][\w.-]{0,63}$/),
    kind: fc.constantFrom("source", "stage", "sink"),
    in: fc.option(count, { nil: undefined }),
    out: count,
    waiting: count,
    perSecond: rate,
    drainsInMs: fc.option(fc.constantFrom(0, 999, 5e6, 1e12, Number.POSITIVE_INFINITY), { nil: undefined }),
    instances: fc.nat({ max: 2_000 }),
    retried: count,
    dead: count,
    progress: fc.option(fc.record({ done: count, total: fc.integer({ min: 1, max: 1e12 }) }), {
      nil: undefined,
    }),
  });
  const size = fc.record({
    width: fc.integer({ min: 8, max: 140 }),
    height: fc.integer({ min: 1, max: 40 }),
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 50 }), size, (stages, { width, height }) => {
      const view = { ...ORDERS, stages };
      const lines = runTable(view, { width, height }, PLAIN);
      const coloured = runTable(view, { width, height }, COLOURED);

      expect(lines.length).toBeLessThanOrEqual(height);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the marks of colours
      expect(coloured.map((line) => line.replace(/\u001b\[\d+m/g, ""))).toEqual(lines);
    }),
  );
});
