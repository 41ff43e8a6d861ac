import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

test("a module that never finishes loading is given up after its time, exit code 7", async () => {
  const project = cliProject({ "hangs.ts": "for (;;);" });
  const { code, stderr } = await project.run("hangs.ts", [], { timeoutMs: 60_000 });
  expect({ code, stderr }).toEqual({
    code: 7,
    stderr: expect.stringMatching(/MR_MODULE_TIMEOUT .*hangs\.ts/),
  });
});

test("a source may take its time over an item, and a call over its own, far longer than a blocked process may otherwise", async () => {
  const project = cliProject({
    "slow.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const block = (ms: number) => { const until = Date.now() + ms; while (Date.now() < until); };
      const p = pipeline("slow");
      p.source("feed", function* () { note("start", "starts"); yield 1; block(8_000); yield 2; })
        .to(p.stage("work", async (n: number) => { await null; note(n, "calls"); block(n === 1 ? 9_000 : 0); return n; }))
        .to(p.sink("out", (n: number) => note(n)));
      export default p;
    `,
  });
  const { code, json } = await project.run("slow.ts", [], { timeoutMs: 60_000 });
  expect(code).toBe(0);
  expect(project.notes("starts")).toHaveLength(1);
  expect(project.notes("calls")).toEqual([1, 2]);
  expect(project.notes()).toEqual([1, 2]);
  expect(json.repeats).toEqual({});
});

test("a `batch.by` that ends its process costs no item: those it was asked about are run alone, without it", async () => {
  const project = cliProject({
    "dies.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("dies");
      p.source("feed", function* () { for (let n = 0; n < 20; n++) yield n; })
        .to(p.stage("work", (items: number[]) => items, { batch: { size: 4, withinMs: 10, by: (n) => (n === 7 ? process.exit(3) : n % 2) } }))
        .to(p.sink("out", (n: number) => note(n)));
      export default p;
    `,
  });
  const { code, json } = await project.run("dies.ts", [], { timeoutMs: 60_000 });
  expect(code).toBe(0);
  expect(unsettled(json)).toEqual({});
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
});
