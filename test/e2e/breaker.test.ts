import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 90_000 };

test(
  "a stage whose calls all fail is paused, and goes on by itself when they succeed: nothing is dead",
  LIMIT,
  async () => {
    const project = cliProject({
      "outage.ts": `
      import { existsSync } from "node:fs";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("outage");
      p.source("feed", function* () { for (let n = 0; n < 3_000; n++) yield n; }).to(p.sink("out", async (n: number) => {
        if (!existsSync("up")) throw new Error("connection refused");
        note(n);
      }, { concurrency: 4, instances: 2 }));
      export default p;
    `,
    });
    const running = project.start("outage.ts");
    await running.until((stderr) => /out.*paused: \d+ of the last \d+ items failed/.test(stderr));
    project.write("up", "");
    const { code, json, stderr } = await running.ended;

    expect(stderr).toMatch(/out.*goes on: a call succeeded after \d+ s/);
    expect(code).toBe(0);
    expect(unsettled(json)).toEqual({});
    expect([...project.notes<number>()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 3_000 }, (_, n) => n),
    );
  },
);
