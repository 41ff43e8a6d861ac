import { expect, test } from "vitest";
import { ProgressReports } from "../../src/instance/progress-reports.ts";
import { FakeDisk, seededChance } from "../support/fake-disk.ts";
import { fakeEnv } from "../support/fake-env.ts";

test("a source that tells its progress for every item is heard ten times a second, and its last word always", () => {
  const env = fakeEnv(new FakeDisk(seededChance(1)));
  const heard: number[] = [];
  const progress = new ProgressReports(env.timers, (done) => heard.push(done));
  for (let item = 1; item <= 1_000; item++) {
    progress.say(item, 1_000);
    env.advance(1);
  }
  // Said at 0, 100, 200 … milliseconds, each time what was the latest by then.
  expect(heard).toHaveLength(11);
  expect(heard[0]).toBe(1);
  progress.flush();
  expect(heard.at(-1)).toBe(1_000);
  const count = heard.length;
  progress.flush();
  expect(heard).toHaveLength(count);
});
