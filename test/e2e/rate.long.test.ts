import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

const LIMIT = { timeout: 120_000 };

/** When the calls were begun, in order, and their share of the limit from the first to the last. */
function shareOf(at: number[], limit: number): number {
  at.sort((a, b) => a - b);
  const seconds = ((at.at(-1) as number) - (at[0] as number)) / 1_000;
  const share = at.length / seconds / limit;
  console.log(`rate of ${limit}: ${(share * 100).toFixed(1)} % of it`);
  return share;
}

test.each([100, 1_000])("a rate of %i a second within 5 % over two instances", LIMIT, async (limit) => {
  const project = cliProject({
    "rate.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("rate");
      p.source("feed", function* () { for (let n = 0; n < ${limit * 8}; n++) yield n; })
        .to(p.sink("all", (n: number) => note([performance.timeOrigin + performance.now(), process.pid]),
          { rate: { limit: ${limit}, perMs: 1_000 }, instances: 2 }));
      export default p;
    `,
  });
  const { code } = await project.run("rate.ts");

  expect(code).toBe(0);
  const calls = project.notes<[number, number]>();
  expect(calls).toHaveLength(limit * 8);
  expect(new Set(calls.map(([, pid]) => pid)).size).toBe(2);
  const at = calls.map(([when]) => when);
  expect(shareOf(at, limit)).toBeLessThan(1.05);
  // By the second: where the machine has stood still, what was not begun then is not made up for.
  const seconds = new Map<number, number>();
  for (const when of at) {
    const second = Math.floor((when - (at[0] as number)) / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  const whole = [...seconds.values()].slice(0, -1).sort((x, y) => x - y);
  const middle = (whole[Math.floor(whole.length / 2)] as number) / limit;
  expect(middle).toBeGreaterThan(0.95);
  expect(middle).toBeLessThan(1.05);
});

test.each([40, 1_000])(
  "a rate of %i a second holds over a restart of one of two instances",
  LIMIT,
  async (limit) => {
    const project = cliProject({
      "rate.ts": `
      import { existsSync, writeFileSync } from "node:fs";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("rate");
      p.source("feed", function* () { for (let n = 0; n < ${limit * 8}; n++) yield n; })
        .to(p.sink("all", async (n: number) => {
          note(performance.timeOrigin + performance.now());
          if (n === ${limit * 3} && !existsSync("killed")) {
            writeFileSync("killed", "");
            process.kill(process.pid, "SIGKILL");
          }
        }, { rate: { limit: ${limit}, perMs: 1_000 }, instances: 2, concurrency: 4 }));
      export default p;
    `,
    });
    const { code } = await project.run("rate.ts");

    expect(code).toBe(0);
    const at = project.notes<number>();
    const share = shareOf(at, limit);
    // What the killed one had been granted is lost to the second in which it dies.
    expect(share).toBeGreaterThan(0.93);
    expect(share).toBeLessThan(1.05);
    // In any second: what was granted at the end of one may be begun late, by as much as a burst.
    let most = 0;
    for (let from = 0, to = 0; from < at.length; from++) {
      while (to < at.length && (at[to] as number) < (at[from] as number) + 1_000) to++;
      most = Math.max(most, to - from);
    }
    expect(most).toBeLessThanOrEqual(Math.ceil(limit * 1.15));
  },
);
