import { describe, expect, test } from "vitest";
import { definitionOf } from "../../../src/definition/definition-of.ts";
import type { Definition } from "../../../src/definition/shape.ts";
import { pipeline } from "../../../src/index.ts";
import { Backpressure } from "../../../src/instance/backpressure.ts";
import { Capacity } from "../../../src/streams/pacing/capacity.ts";

describe("a stage is full", () => {
  test("at its capacity of items, and takes again when a fifth of it is free", () => {
    const capacity = new Capacity();
    capacity.set("s", { items: 10 });
    const seen: [number, boolean][] = [];
    for (const unsettled of [9, 10, 14, 9, 8, 9, 10, 0]) {
      capacity.weigh("s", { unsettled, bytes: 1e9 });
      seen.push([unsettled, capacity.isFull("s")]);
    }
    expect(seen.filter(([, isFull]) => isFull).map(([n]) => n)).toEqual([10, 14, 9, 10]);
    expect(capacity.weigh("s", { unsettled: 0, bytes: 0 })).toBe(false);
    expect(capacity.weigh("other", { unsettled: 99, bytes: 0 })).toBe(false);
  });

  test("at either of its limits; one for a single item as well", () => {
    const capacity = new Capacity();
    capacity.set("s", { items: 10, bytes: 1_000 });
    capacity.set("one", { items: 1 });
    capacity.weigh("s", { unsettled: 3, bytes: 1_000 });
    capacity.weigh("one", { unsettled: 1, bytes: 1 });
    expect(capacity.full).toEqual(["s", "one"]);
    capacity.weigh("one", { unsettled: 0, bytes: 0 });
    capacity.weigh("s", { unsettled: 3, bytes: 800 });
    expect(capacity.full).toEqual([]);
  });
});

describe("a producer is held back", () => {
  const limited = { capacity: { items: 100 } };
  const p = pipeline("cycle");
  const feed = p.source("feed", () => [1]);
  const before = p.stage("before", (n: number) => n);
  const entry = p.stage("entry", (n: number) => n);
  const inside = p.stage("inside", (n: number) => n, limited);
  const free = p.sink("free", (_: number) => undefined);
  const out = p.sink("out", (_: number) => undefined, { capacity: { bytes: "4KB" } });
  feed.to(before).to(entry).to(inside).to(out);
  inside.to(entry, { when: (n) => n > 1 });
  before.to(free);
  const definition = definitionOf(p) as Definition;
  const of = (node: string): Backpressure | undefined => Backpressure.of(definition, node);

  test("by what it feeds, and at the entry of a cycle by every stage of the cycle; never by its own cycle", () => {
    const held = (node: string, ...full: string[]): boolean | undefined => {
      const backpressure = of(node);
      backpressure?.full(full);
      return backpressure?.isHeld(0, 0);
    };
    expect(held("feed", "inside", "out")).toBeUndefined();
    expect(held("before", "inside")).toBe(true);
    expect(held("before", "out")).toBe(false);
    expect(held("entry", "inside")).toBeUndefined();
    expect(held("inside", "inside")).toBe(false);
    expect(held("inside", "out")).toBe(true);
  });

  test("by what is on its way as well, and no longer when the stage is not full", () => {
    const before = of("before") as Backpressure;
    expect([before.isHeld(24, 1e9), before.isHeld(25, 0)]).toEqual([false, true]);
    const inside = of("inside") as Backpressure;
    expect([inside.isHeld(1e6, 1_023), inside.isHeld(0, 1_024)]).toEqual([false, true]);
    before.full(["inside"]);
    before.full([]);
    expect(before.isHeld(0, 0)).toBe(false);
  });
});
