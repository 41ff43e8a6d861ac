import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

const LIMIT = { timeout: 120_000 };

test.each([40, 1_000])(
  "two instances and a restart of one keep a rate of %i a second to five in a hundred",
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
    const at = project.notes<number>().sort((a, b) => a - b);
    const seconds = ((at.at(-1) as number) - (at[0] as number)) / 1_000;
    console.log(`rate of ${limit}: ${((at.length / seconds / limit) * 100).toFixed(1)} % of it`);
    expect(at.length / seconds / limit).toBeGreaterThan(0.93);
    expect(at.length / seconds / limit).toBeLessThan(1.05);
    // In any second: what was granted at the end of one may be begun late, by as much as a burst.
    let most = 0;
    for (let from = 0, to = 0; from < at.length; from++) {
      while (to < at.length && (at[to] as number) < (at[from] as number) + 1_000) to++;
      most = Math.max(most, to - from);
    }
    expect(most).toBeLessThanOrEqual(Math.ceil(limit * 1.15));
  },
);
