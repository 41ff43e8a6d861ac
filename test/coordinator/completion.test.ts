import { expect, test } from "vitest";
import { nodesToComplete, type StreamSight, unfedComponents } from "../../src/coordinator/completion.ts";
import type { PipelineShape } from "../../src/definition/shape.ts";

function shape(
  nodes: Record<string, "source" | "stage" | "sink">,
  ...edges: [string, string][]
): PipelineShape {
  return {
    name: "p",
    durability: "disk",
    nodes: Object.entries(nodes).map(([name, kind]) => ({ name, kind, settings: {} as never })),
    edges: edges.map(([from, to]) => ({ from, to, conditional: false })),
  };
}

const quiet: StreamSight = { unsettled: 0, appended: 5 };
const sights = (seen: Record<string, StreamSight>): Map<string, StreamSight> => new Map(Object.entries(seen));

const line = shape({ in: "source", work: "stage", out: "sink" }, ["in", "work"], ["work", "out"]);

test("a stage is not done while its source has not ended, empty as its stream may be", () => {
  const scan = sights({ work: quiet, out: quiet });
  expect(nodesToComplete({ shape: line, complete: new Set(), scans: [scan, scan] })).toEqual([]);
});

test("a stage is done when all upstream is complete and its stream holds nothing; the next one waits for it", () => {
  const scan = sights({ work: quiet, out: quiet });
  expect(nodesToComplete({ shape: line, complete: new Set(["in"]), scans: [scan, scan] })).toEqual(["work"]);
  expect(nodesToComplete({ shape: line, complete: new Set(["in", "work"]), scans: [scan, scan] })).toEqual([
    "out",
  ]);
});

test("waiting, delayed and claimed items all keep a stage from being done, and so does an append between two scans", () => {
  const empty = sights({ work: quiet, out: quiet });
  const busy = sights({ work: { unsettled: 1, appended: 5 }, out: quiet });
  const moved = sights({ work: { unsettled: 0, appended: 6 }, out: quiet });
  const complete = new Set(["in"]);
  expect(nodesToComplete({ shape: line, complete, scans: [busy, empty] })).toEqual([]);
  expect(nodesToComplete({ shape: line, complete, scans: [empty, busy] })).toEqual([]);
  expect(nodesToComplete({ shape: line, complete, scans: [empty, moved] })).toEqual([]);
  expect(nodesToComplete({ shape: line, complete, scans: [new Map(), new Map()] })).toEqual([]);
});

test("with two upstream stages one that still works is enough to wait", () => {
  const fan = shape(
    { in: "source", a: "stage", b: "stage", out: "sink" },
    ["in", "a"],
    ["in", "b"],
    ["a", "out"],
    ["b", "out"],
  );
  const scan = sights({ a: quiet, b: { unsettled: 3, appended: 9 }, out: quiet });
  expect(nodesToComplete({ shape: fan, complete: new Set(["in", "a"]), scans: [scan, scan] })).toEqual([]);
});

test("two cycles that share a stage are done together", () => {
  const loops = shape(
    { in: "source", hub: "stage", left: "stage", right: "stage", out: "sink" },
    ["in", "hub"],
    ["hub", "left"],
    ["left", "hub"],
    ["hub", "right"],
    ["right", "hub"],
    ["hub", "out"],
  );
  const all = sights({ hub: quiet, left: quiet, right: quiet, out: quiet });
  const busy = sights({ hub: quiet, left: quiet, right: { unsettled: 1, appended: 5 }, out: quiet });
  const complete = new Set(["in"]);
  expect(nodesToComplete({ shape: loops, complete, scans: [all, all] }).sort()).toEqual([
    "hub",
    "left",
    "right",
  ]);
  expect(nodesToComplete({ shape: loops, complete, scans: [all, busy] })).toEqual([]);
  expect(unfedComponents({ shape: loops, complete: new Set() })).toEqual([]);
});
