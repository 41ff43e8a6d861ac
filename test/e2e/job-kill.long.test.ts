import { expect, test } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { JOB_VICTIMS, jobStorm } from "../support/job-storm.ts";

const TASKS = 1_000_000;

/** `MILLRACE_TEST_SEED=7 npm run test:long -- job-kill` kills at other moments. */
const { MILLRACE_TEST_SEED = "1" } = process.env;

test.each(["fold", "unordered", "list"] as const)(
  "a million tasks under kills of everything give every result exactly once: %s",
  { timeout: 180_000 },
  async (exportName) => {
    const seed = Number(MILLRACE_TEST_SEED);
    const random = new SeededRandom(seed);
    const kills = random.shuffle(JOB_VICTIMS.flatMap((victim) => [victim, victim, victim]));
    const report = await jobStorm({ exportName, tasks: TASKS, seed, kills, everyMs: 400 });
    const said = `seed ${seed}, ${report.landed.join(", ")}`;
    process.stdout.write(`job-kill ${exportName}: ${said}\n`);
    expect(report.code, `${said}\n${report.stderr}`).toBe(0);
    const { result, stages } = report.result ?? {};
    expect(result, said).toMatchObject({ count: TASKS, wrong: 0 });
    if (exportName === "fold") expect((result as { hash: number }).hash).toBe(hashOfAll());
    if (exportName === "unordered") expect((result as { sum: number }).sum).toBe((TASKS * (TASKS - 1)) / 2);
    expect(stages?.process).toMatchObject({ accepted: TASKS, completed: TASKS, dead: 0 });
    expect(stages?.combine).toMatchObject({ accepted: TASKS + 1, completed: TASKS + 1, dead: 0 });
    expect(report.landed.length).toBeGreaterThan(3);
  },
);

/** What the fold must come to: that of every result once, in order. */
function hashOfAll(): number {
  let hash = 0x811c9dc5;
  for (let task = 0; task < TASKS; task++) {
    const result = `${task}:${(task * 48_271) % 2_147_483_647}`;
    for (let i = 0; i < result.length; i++) hash = Math.imul(hash ^ result.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
