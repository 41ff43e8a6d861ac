import { expect, test } from "vitest";
import { orderedSchedule } from "./ordered-schedules.ts";
import { outing } from "./power-cuts.ts";
import { schedule } from "./schedules.ts";

test("two thousand schedules of instances that work, die and are judged", async () => {
  for (let seed = 1_000; seed < 3_000; seed++) expect((await schedule(seed, 400)).problems).toEqual([]);
});

test.each([false, true])("three thousand outings with power cuts; the disk fills up: %s", async (fillsUp) => {
  for (let seed = 1_000; seed < 4_000; seed++) {
    expect((await outing(seed, { sync: true, lives: 5, fillsUp })).problem).toBeUndefined();
  }
});

test("a thousand schedules of a stage that keeps order", async () => {
  for (let seed = 1_000; seed < 2_000; seed++)
    expect((await orderedSchedule(seed, 400)).problems).toEqual([]);
});
