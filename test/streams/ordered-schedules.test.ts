import { expect, test } from "vitest";
import { orderedSchedule } from "./ordered-schedules.ts";

test("in whatever order instances work, fail, die, come and leave: the items of a lane come in its order, to one at a time", async () => {
  const all = { delivered: 0, deaths: 0, suspectsRun: 0, attempts: 0 };
  for (let seed = 1; seed <= 15; seed++) {
    const { problems, ...totals } = await orderedSchedule(seed, 250);
    expect(problems).toEqual([]);
    for (const name of Object.keys(all) as (keyof typeof all)[]) all[name] += totals[name];
  }
  // It has met what it is about.
  expect(all.deaths).toBeGreaterThan(30);
  expect(all.suspectsRun).toBeGreaterThan(10);
  expect(all.attempts).toBeGreaterThan(30);
  expect(all.delivered).toBeGreaterThan(500);
});
