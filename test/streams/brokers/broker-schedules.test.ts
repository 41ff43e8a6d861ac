import fc from "fast-check";
import { expect, test } from "vitest";
import { brokerSchedule, steps } from "./broker-schedule.ts";

test("whatever breaks when: nothing committed is lost, nothing else is handed out, every item is accounted for", async () => {
  const totals = { delivered: 0, kills: 0, unknown: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), steps, async (seed, script) => {
      const account = await brokerSchedule(seed, script);
      expect(account.problems).toEqual([]);
      for (const key of ["delivered", "kills", "unknown", "refused"] as const) totals[key] += account[key];
    }),
    { numRuns: 150 },
  );
  // A run that never got there shows nothing.
  expect(totals.delivered).toBeGreaterThan(1_000);
  expect(totals.kills).toBeGreaterThan(30);
  expect(totals.unknown).toBeGreaterThan(10);
  expect(totals.refused).toBeGreaterThan(30);
});
