import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

test("Ctrl-C in the middle of a setup: the setup is waited for, and its teardown takes place", {
  timeout: 150_000,
}, async () => {
  const project = cliProject({
    "slow-setup.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("slow-setup");
      p.source("feed", async function* () { for (let n = 0; ; n++) { yield n; await sleep(5); } })
        .to(p.sink("out", {
          setup: async () => { note("begun"); await sleep(400); note("set up"); return {}; },
          run: () => undefined,
          teardown: () => note("torn down"),
        }));
      export default p;
    `,
  });
  const running = project.start("slow-setup.ts");
  await running.until(() => project.notes().includes("begun"));
  running.signal("SIGINT");
  const { code } = await running.ended;
  expect(code).toBe(130);
  expect(project.notes()).toEqual(["begun", "set up", "torn down"]);
});
