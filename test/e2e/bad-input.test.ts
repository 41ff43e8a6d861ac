import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";
import type { CliResult } from "../support/run-cli.ts";
import { mountSmallDisk } from "../support/small-disk.ts";

const LIMIT = { timeout: 150_000 };

const GOOD = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("good");
  p.source("feed", function* () { for (let n = 0; n < 10; n++) yield n; }).to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

/** Exit code and codes on stderr; nothing on stdout, since there is no result. */
function expectRefused(result: CliResult, code: number, message: RegExp): void {
  expect({ code: result.code, stderr: result.stderr }).toEqual({
    code,
    stderr: expect.stringMatching(message),
  });
  expect(result.stdout).toBe("");
  expect(result.stderr).not.toMatch(/^\s+at .*\/(src|dist)\//m);
}

test("modules that cannot be run are refused before anything starts", LIMIT, async () => {
  const project = cliProject({
    "broken.ts": "import { pipeline } from 'millrace';\nconst p = pipeline('x';\nexport default p;",
    "throws.ts": "export const x: number = JSON.parse('{');",
    "nothing.ts": "export const answer = 42;",
    "several.ts": `import { pipeline } from "millrace";
      const make = (name: string) => { const p = pipeline(name); p.source("a", () => [1]).to(p.sink("b", () => {})); return p; };
      export const one = make("one"); export const two = make("two");`,
    "dead-end.ts": `import { pipeline } from "millrace"; const p = pipeline("x"); p.source("a", () => [1]).to(p.stage("b", (n: number) => n)); export default p;`,
    "missing-import.ts": `import { x } from "./not-there.ts"; export default x;`,
    "exits.ts": `process.exit(0);`,
    "runs.ts": `import { pipeline, run } from "millrace"; const p = pipeline("x", { module: import.meta.url });
      p.source("a", () => [1]).to(p.sink("b", () => {}));
      await run(p);
      export default p;`,
  });
  const [missing, broken, throws, nothing, several, named, deadEnd, missingImport, exits, runs] =
    await Promise.all([
      project.run("no-such.ts"),
      project.run("broken.ts"),
      project.run("throws.ts"),
      project.run("nothing.ts"),
      project.run("several.ts"),
      project.run("several.ts#three"),
      project.run("dead-end.ts"),
      project.run("missing-import.ts"),
      project.run("exits.ts"),
      project.run("runs.ts"),
    ]);
  expectRefused(missing, 3, /MR_MODULE_NOT_FOUND .*no-such\.ts/);
  expectRefused(broken, 1, /MR_MODULE_INVALID .*broken\.ts:2/);
  expect({ code: throws.code, stderr: throws.stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/MR_MODULE_INVALID .*throws\.ts[\s\S]*throws\.ts:1/),
  });
  expectRefused(nothing, 3, /MR_NOTHING_TO_RUN .*"answer"/);
  expectRefused(several, 2, /MR_AMBIGUOUS_EXPORT .*several\.ts#one.*several\.ts#two/);
  expectRefused(named, 3, /MR_NOTHING_TO_RUN .*"three"/);
  expectRefused(deadEnd, 2, /MR_NO_SINK/);
  expectRefused(missingImport, 3, /MR_MODULE_NOT_FOUND .*not-there/);
  expectRefused(exits, 1, /MR_MODULE_INVALID/);
  expectRefused(runs, 1, /MR_RUN_IN_INSTANCE .*runs\.ts/);
});

test("flags, commands and params that are wrong are refused with exit code 2", LIMIT, async () => {
  const project = cliProject({
    "good.ts": GOOD,
    "params.ts": `
      import { pipeline } from "millrace";
      import { z } from "zod";
      import { note } from "./note.ts";
      const p = pipeline("params", { params: z.object({ limit: z.number().int().min(1), name: z.string().default("nobody") }) });
      p.source("feed", function* (ctx) { for (let n = 0; n < ctx.params.limit; n++) yield n; }).to(p.sink("out", (n: number, ctx) => note([n, ctx.params.name])));
      export default p;
    `,
  });
  const millrace = (...args: string[]) => project.millrace(args);
  const run = (...args: string[]) => project.run("good.ts", args);
  const all = await Promise.all([
    millrace("run"),
    millrace("run", "good.ts", "--frobnicate"),
    millrace("frobnicate"),
    millrace("run", "good.ts", "extra"),
    run("--param", "limit=1"),
    run("--param", "novalue"),
    run("--param", "a:={not json"),
    run("--param", "a=1", "--param", "a=2"),
    run("--instances", "out=0"),
    run("--instances", "nobody=2"),
    run("--instances", "feed=2"),
    run("--new", "--resume", "x"),
    run("--streams", "ftp://x"),
  ]);
  expect(all.map(({ code, stdout }) => [code, stdout])).toEqual(all.map(() => [2, ""]));
  const texts = [
    /missing required argument/,
    /unknown option.*--frobnicate/,
    /unknown command.*frobnicate/,
    /too many arguments/,
    /MR_BAD_PARAMS .*limit/,
    /MR_USAGE .*novalue/,
  ];
  texts.push(
    /MR_USAGE .*not JSON/,
    /MR_USAGE .*twice/,
    /MR_USAGE .*out=0/,
    /MR_USAGE .*"nobody".*feed, out/,
    /MR_USAGE .*exactly one/,
    /MR_USAGE .*--new/,
    /MR_USAGE .*ftp/,
  );
  for (const [i, { stderr }] of all.entries()) expect(stderr).toMatch(texts[i] as RegExp);
  expect((await millrace("--help")).code).toBe(0);
  expect((await millrace("--version")).stdout).toMatch(/^\d+\.\d+\.\d+/);

  const params = (...args: string[]) =>
    project.run(
      "params.ts",
      args.flatMap((arg) => ["--param", arg]),
    );
  const [none, wrong, extra, good] = await Promise.all([
    params(),
    params("limit=3"),
    params("limit:=3", "other=1"),
    params("limit:=2", "name=a=b"),
  ]);
  expectRefused(none, 2, /MR_BAD_PARAMS .*limit/);
  expectRefused(wrong, 2, /MR_BAD_PARAMS .*limit/);
  expectRefused(extra, 2, /MR_BAD_PARAMS .*other/);
  expect(good.code).toBe(0);
  expect(project.notes()).toEqual([
    [0, "a=b"],
    [1, "a=b"],
  ]);
});

test("a data directory that is not ours, a file, read-only or in use is left alone", LIMIT, async () => {
  const project = cliProject({
    "good.ts": GOOD,
    "waits.ts": GOOD.replace('pipeline("good")', 'pipeline("waits")')
      .replace(
        "yield n; }",
        'yield n; await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)); }',
      )
      .replace("function* ()", "async function* (ctx)"),
    "precious/thesis.txt": "mine",
    "a-file": "mine too",
  });
  const inData = (data: string) =>
    project.millrace(["run", "good.ts", "--json", "--data", project.path(data)]);
  const readOnly = project.path("read-only");
  mountSmallDisk(readOnly, "ro,size=1m");
  const [precious, file, below, locked] = await Promise.all([
    inData("precious"),
    inData("a-file"),
    inData("a-file/data"),
    inData("read-only"),
  ]);
  expectRefused(precious, 4, /MR_DATA_NOT_OURS .*thesis\.txt/);
  expectRefused(file, 4, /MR_DATA_NOT_OURS .*a-file/);
  expectRefused(below, 4, /MR_DATA_NOT_OURS .*a-file/);
  expectRefused(locked, 5, /MR_DATA_UNWRITABLE .*read-only/);
  expect(existsSync(project.path("precious/millrace.json"))).toBe(false);

  const first = project.start("waits.ts");
  await first.until(() => project.notes().length === 10);
  expectRefused(await project.run("waits.ts"), 4, new RegExp(`MR_DATA_LOCKED .*process ${first.pid} `));
  first.signal("SIGTERM");
  const { code, json } = await first.ended;
  expect([code, json.status]).toEqual([143, "stopped"]);
});

test("a run that does not fit the command is a conflict, and says how to go on", LIMIT, async () => {
  const version = (stages: string, schema = `z.object({ limit: z.number().default(1) })`) => `
    import { pipeline } from "millrace"; import { z } from "zod"; import { note } from "./note.ts";
    const p = pipeline("versions", { params: ${schema} });
    const feed = p.source("feed", function* () { for (let n = 0; n < 5; n++) yield n; throw new Error("not yet"); }, { retry: { attempts: 1 } });
    const out = p.sink("out", (n: number) => note(n));
    ${stages}
    export default p;
  `;
  const project = cliProject({ "v.ts": version(`feed.to(p.stage("old", (n: number) => n)).to(out);`) });
  const first = await project.run("v.ts");
  expect([first.code, first.json.status]).toEqual([1, "failed"]);
  expect(first.stderr).toContain("MR_SOURCE_FAILED");
  const { run } = first.json;

  expectRefused(
    await project.run("v.ts", ["--param", "limit:=2"]),
    4,
    new RegExp(`MR_RUN_CONFLICT .*--resume ${run} .*--new`),
  );
  expectRefused(
    await project.run("v.ts", ["--resume", "20200101-000000-abcdef"]),
    3,
    /MR_RUN_UNKNOWN .*20200101-000000-abcdef/,
  );
  project.write("v.ts", version(`feed.to(p.stage("new", (n: number) => n)).to(out);`));
  expectRefused(await project.run("v.ts"), 4, new RegExp(`MR_RUN_CONFLICT .*${run} .*\\(old\\).*--new`));
  expectRefused(await project.run("v.ts", ["--resume", run]), 4, /MR_RUN_CONFLICT .*\(old\)/);
  const fresh = await project.run("v.ts", ["--new", "--param", "limit:=2"]);
  expect(fresh.code).toBe(1);
  expect(fresh.json.run).not.toBe(run);
});

test(
  "a full disk fails the run with everything kept; with room again the same command completes",
  LIMIT,
  async () => {
    const project = cliProject({
      "full.ts": `
      import { pipeline } from "millrace"; import { note } from "./note.ts";
      const p = pipeline("full");
      const feed = p.source("feed", function* (ctx) {
        for (let n = (ctx.resume as number | undefined) ?? 0; n < 3_000; n++) { yield { n, text: String(n).repeat(5_000) }; ctx.checkpoint(n + 1); }
      });
      feed.to(p.sink("out", async ({ n }: { n: number }) => { await new Promise((resolve) => setTimeout(resolve, 1)); note(n); }, { concurrency: 4 }));
      export default p;
    `,
    });
    mountSmallDisk(project.data, "size=16m");
    // All of the disk may be used: no watch is kept that would hold the source back before.
    const full = await project.run("full.ts", ["--keep-free", "0"]);
    expect({ code: full.code, stderr: full.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/MR_DISK_FULL/),
    });
    const before = project.notes<number>().length;
    expect(before).toBeLessThan(3_000);
    execFileSync("mount", ["-o", "remount,size=256m", project.data]);
    const { code, json, stderr } = await project.run("full.ts");
    expect(stderr).toContain("full resumes");
    expect(code).toBe(0);
    expect(unsettled(json)).toEqual({});
    expect(new Set(project.notes<number>())).toEqual(new Set(Array.from({ length: 3_000 }, (_, n) => n)));
    // What was done and could not be written down is done again: a tenth of a second's work of four calls at a time.
    expect(project.notes().length - 3_000).toBeLessThanOrEqual(400);
  },
);
