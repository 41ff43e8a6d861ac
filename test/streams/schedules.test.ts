import { expect, test } from "vitest";
import { schedule } from "./schedules.ts";

test("in whatever order instances work, die and are judged: an item is in one place, every item is accounted for", async () => {
  const totals = { delivered: 0, deaths: 0, suspectsRun: 0, convicted: 0 };
  for (let seed = 1; seed <= 120; seed++) {
    const one = await schedule(seed, 250);
    expect(one.problems).toEqual([]);
    for (const key of ["delivered", "deaths", "suspectsRun", "convicted"] as const) totals[key] += one[key];
  }
  // A run that never got there shows nothing.
  expect(totals.delivered).toBeGreaterThan(5_000);
  expect(totals.deaths).toBeGreaterThan(500);
  expect(totals.suspectsRun).toBeGreaterThan(300);
  expect(totals.convicted).toBeGreaterThan(20);
});
