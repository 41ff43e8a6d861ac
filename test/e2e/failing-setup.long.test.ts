import { expect, test } from "vitest";
import { type CliProject, cliProject } from "../support/cli-project.ts";
import type { CliResult } from "../support/run-cli.ts";

const LIMIT = { timeout: 150_000 };

test(
  "user code that fails outside a call: setup, teardown, sources; the run fails or says so, the error is the user's",
  LIMIT,
  async () => {
    const stage = (name: string, life: string, options = "") => `
    import { pipeline } from "millrace"; import { note } from "./note.ts";
    const p = pipeline("${name}");
    p.source("feed", function* () { for (let n = 0; n < 5; n++) yield n; })
      .to(p.stage("work", { ${life} run: (n: number) => n }, { ${options} })).to(p.sink("out", (n: number) => note(n)));
    export default p;
  `;
    const source = (name: string, run: string) => `
    import { pipeline } from "millrace"; import { note } from "./note.ts";
    const p = pipeline("${name}");
    p.source("feed", (${run}) as never, { retry: { attempts: 3, backoff: { initialMs: 5 } } }).to(p.sink("out", (n: number) => note(n)));
    export default p;
  `;
    const files = {
      "setup-throws": stage(
        "setup-throws",
        `setup: () => { note("setup", "setups"); throw new TypeError("no database"); }, teardown: () => note("teardown", "setups"),`,
      ),
      "setup-hangs": stage(
        "setup-hangs",
        `setup: () => new Promise(() => setInterval(() => {}, 1_000)),`,
        "timeoutMs: 100, graceMs: 50",
      ),
      "setup-loops": stage("setup-loops", `setup: () => { for (;;); },`, "timeoutMs: 100, graceMs: 50"),
      "setup-exits": stage("setup-exits", `setup: () => { note("setup", "setups"); process.exit(0); },`),
      "teardown-throws": stage("teardown-throws", `teardown: () => { throw new Error("cannot close"); },`),
      "source-throws": source(
        "source-throws",
        `function* () { note("start", "starts"); yield 1; throw new RangeError("bad line"); }`,
      ),
      "source-rejects": source(
        "source-rejects",
        `async () => { await null; throw new RangeError("no file"); }`,
      ),
      "source-number": source("source-number", `() => 42`),
      "source-bad-item": source("source-bad-item", `function* () { yield { n: 1, f() {} }; }`),
    };
    const made = Object.entries(files).map(([name, text]) => [name, cliProject({ "m.ts": text })] as const);
    const results = new Map<string, { project: CliProject; result: CliResult }>();
    // Two at a time: more would only take the processor from one another.
    const queue = [...made];
    const work = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [name, project] = next;
        results.set(name, { project, result: await project.run("m.ts") });
      }
    };
    await Promise.all([work(), work()]);
    const expectFailed = (name: string, message: RegExp) => {
      const { result } = results.get(name) as { result: CliResult };
      expect({ name, code: result.code, status: result.json.status, stderr: result.stderr }).toMatchObject({
        name,
        code: 1,
        status: "failed",
        stderr: expect.stringMatching(message),
      });
    };
    expectFailed("setup-throws", /MR_SETUP_FAILED .*5 times in a row.*TypeError: no database/);
    expect(results.get("setup-throws")?.result.json.error?.stack).toContain("m.ts:5:");
    expect(results.get("setup-throws")?.project.notes("setups")).not.toContain("teardown");
    expectFailed("setup-hangs", /MR_SETUP_FAILED .*5 times in a row.*did not settle within timeoutMs 100/);
    expectFailed("setup-loops", /MR_SETUP_FAILED .*5 times in a row/);
    expectFailed("setup-exits", /MR_SETUP_FAILED .*5 times in a row.*exit code 0/);
    expect(results.get("setup-exits")?.project.notes("setups")).toHaveLength(5);
    expectFailed("source-throws", /MR_SOURCE_FAILED .*3 times in a row.*RangeError: bad line/);
    expect(results.get("source-throws")?.project.notes("starts")).toHaveLength(3);
    expectFailed("source-rejects", /MR_SOURCE_FAILED .*3 times in a row.*RangeError: no file/);
    expectFailed(
      "source-number",
      /MR_SOURCE_FAILED .*MR_BAD_RETURN|MR_SOURCE_FAILED .*not something to iterate over/,
    );
    expectFailed("source-bad-item", /MR_SOURCE_FAILED .*\$\.f/);
    const torn = results.get("teardown-throws") as { project: CliProject; result: CliResult };
    expect(torn.result.code).toBe(0);
    expect(torn.result.stderr).toMatch(/teardown threw Error: cannot close/);
    expect(torn.project.notes()).toHaveLength(5);
  },
);
