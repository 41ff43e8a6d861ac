import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CliProject, cliProject } from "../support/cli-project.ts";
import { killTree } from "../support/process-tree.ts";

/** Ten numbers; the odd ones fail, once. */
const ODD = `
  import { pipeline } from "millrace";
  const p = pipeline("odd");
  const feed = p.source("feed", function* () { for (let n = 0; n < 10; n++) yield { n }; });
  const check = p.stage("check", (item: { n: number }) => {
    if (item.n % 2 === 1) throw new RangeError("odd: " + item.n);
    return item;
  }, { retry: { attempts: 2, backoff: { initialMs: 1 } } });
  feed.to(check).to(p.sink("out", () => {}));
  export default p;
`;

interface Letter {
  readonly id: string;
  readonly item: unknown;
  readonly attempts: readonly { readonly at: number; readonly error: Record<string, string> }[];
}

async function list(project: CliProject, target: string, ...more: string[]): Promise<Letter[]> {
  const { code, stdout, stderr } = await project.millrace([
    "dead",
    "list",
    target,
    "--json",
    "--data",
    project.data,
    ...more,
  ]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return JSON.parse(stdout) as Letter[];
}

test("the letters of a finished run: as JSON exactly what is documented, as a table newest last", async () => {
  const project = cliProject({ "odd.ts": ODD });
  const { code, json } = await project.run("odd.ts");
  expect(code).toBe(8);

  const letters = await list(project, "odd");
  expect(letters.map(({ item }) => (item as { n: number }).n).sort()).toEqual([1, 3, 5, 7, 9]);
  const three = letters.find(({ item }) => (item as { n: number }).n === 3);
  expect(three).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{24}-\d+$/),
    pipeline: "odd",
    run: json.run,
    stage: "check",
    item: { n: 3 },
    headers: {},
    attempts: Array(2).fill({
      at: expect.any(Number),
      error: { name: "RangeError", message: "odd: 3", stack: expect.stringContaining("odd.ts:6:") },
    }),
    reason: "error",
    bundle: expect.stringMatching(/^[0-9a-f]{64}$/),
    path: ["check"],
    deadAt: expect.any(Number),
  });

  const table = await project.millrace(["dead", "list", "odd/check", "--data", project.data]);
  expect(table.code).toBe(0);
  const [head = "", ...rows] = table.stdout.trimEnd().split("\n");
  expect(head.split(/ {2,}/)).toEqual(["id", "stage", "reason", "attempts", "error", "when"]);
  const cells = rows.map((row) => row.split(/ {2,}/));
  expect(cells.map(([, stage, reason, attempts]) => [stage, reason, attempts])).toEqual(
    Array(5).fill(["check", "error", "2"]),
  );
  const times = cells.map((row) => row[5] ?? "");
  expect(times).toEqual([...times].sort());
  expect(table.stderr).toContain("5 dead letters");

  const shown = await project.millrace(["dead", "show", "odd", three?.id ?? "", "--data", project.data]);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toContain("attempt 2");
  expect(shown.stdout).toContain("RangeError: odd: 3");
  expect(shown.stdout).toMatch(/at .*odd\.ts:6:/);
  expect(shown.stdout).toContain('"n": 3');
  const one = await project.millrace([
    "dead",
    "show",
    "odd/check",
    three?.id ?? "",
    "--json",
    "--data",
    project.data,
  ]);
  expect(JSON.parse(one.stdout)).toEqual(three);
  const two = [letters[0]?.id ?? "", letters[1]?.id ?? ""];
  const all = await project.millrace(["dead", "show", "odd", "--all", "--json", "--data", project.data]);
  expect(JSON.parse(all.stdout).length).toBeGreaterThan(1);
  const none = await project.millrace(["dead", "show", "odd", "--data", project.data]);
  expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("--all") });
  const both = await project.millrace(["dead", "show", "odd", ...two, "--json", "--data", project.data]);
  expect(JSON.parse(both.stdout)).toEqual(letters.slice(0, 2));
});

test("a stage, or a run, without dead letters says so and is no failure", async () => {
  const project = cliProject({ "odd.ts": ODD });
  await project.run("odd.ts");

  const human = await project.millrace(["dead", "list", "odd/out", "--data", project.data]);
  expect(human).toMatchObject({ code: 0, stdout: expect.stringContaining("odd/out has no dead letters") });
  const json = await project.millrace(["dead", "list", "odd/out", "--data", project.data, "--json"]);
  expect(json).toMatchObject({ code: 0, stdout: "[]\n" });
});

test("the newest run is meant, unless another is named", async () => {
  const project = cliProject({ "odd.ts": ODD });
  const first = (await project.run("odd.ts")).json.run;
  project.write("odd.ts", ODD.replace("n < 10", "n < 2"));
  const second = (await project.run("odd.ts")).json.run;

  expect(second).not.toBe(first);
  expect(await list(project, "odd")).toHaveLength(1);
  expect(await list(project, "odd", "--run", first)).toHaveLength(5);
});

test("of a live run: what is dead by now; the run goes on unharmed", { timeout: 60_000 }, async () => {
  const project = cliProject({
    "live.ts": ODD.replace('"odd"', '"live"')
      .replace("function* ()", "async function* ()")
      .replace(
        "yield { n }; }",
        'yield { n }; while (!existsSync("go")) await new Promise((done) => setTimeout(done, 10)); yield { n: 11 }; }',
      )
      .replace("import", 'import { existsSync } from "node:fs"; import'),
  });
  const running = project.start("live.ts", [], { timeoutMs: 50_000 });
  await running.until((said) => said.includes("live runs"));
  let letters: Letter[] = [];
  while (letters.length < 5) letters = await list(project, "live");
  expect(letters.map(({ item }) => (item as { n: number }).n).sort()).toEqual([1, 3, 5, 7, 9]);
  const shown = await project.millrace([
    "dead",
    "show",
    "live",
    letters[0]?.id ?? "",
    "--json",
    "--data",
    project.data,
  ]);
  expect(JSON.parse(shown.stdout)).toEqual(letters[0]);

  project.write("go", "");
  const { code, json } = await running.ended;
  expect(code).toBe(8);
  expect(json.stages.check).toMatchObject({ accepted: 11, completed: 5, dead: 6 });
  expect(await list(project, "live")).toHaveLength(6);
});

test("of a run that was killed: without touching what is unfinished, and it can be resumed afterwards", {
  timeout: 60_000,
}, async () => {
  const project = cliProject({
    "odd.ts": ODD.replace(
      "n < 10; n++) yield { n };",
      "n < 10; n++) yield { n }; if (!existsSync('go')) while (true) yield null as never;",
    )
      .replace("const feed", "let idle = 0;\nconst feed")
      .replace("function* ()", "async function* ()")
      .replace("while (true) yield null as never;", "await new Promise(() => setInterval(() => {}, 1_000));")
      .replace("import", 'import { existsSync } from "node:fs"; import'),
  });
  const running = project.start("odd.ts", [], { timeoutMs: 50_000 });
  await running.until((said) => said.includes("odd runs"));
  while ((await list(project, "odd")).length < 5);
  killTree(running.pid);
  expect((await running.ended).signal).toBe("SIGKILL");

  // Two at once: the second asks the process that the first has started, or waits for its turn.
  const [first, second] = await Promise.all([list(project, "odd"), list(project, "odd")]);
  expect(first).toHaveLength(5);
  expect(second).toEqual(first);

  project.write("go", "");
  const { code, json, stderr } = await project.run("odd.ts");
  expect(stderr).toContain("odd resumes");
  expect(code).toBe(8);
  // The source has no checkpoints: it starts over.
  expect(json.stages.check).toMatchObject({ accepted: 20, dead: 10 });
});

test("of a run that a live process has locked without saying where to ask: exit code 4, after a moment", async () => {
  const project = cliProject({ "odd.ts": ODD });
  const { run } = (await project.run("odd.ts")).json;
  const lock = join(project.data, "odd", run, "lock");
  const stat = readFileSync(`/proc/${process.pid}/stat`, "latin1");
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  writeFileSync(lock, JSON.stringify({ pid: process.pid, startTime, note: "" }));

  const { code, stderr } = await project.millrace(["dead", "list", "odd", "--data", project.data]);

  expect(code).toBe(4);
  expect(stderr).toContain("MR_DATA_LOCKED");
  expect(stderr).toContain(String(process.pid));
});

test("more letters than a page has, of which some are large: each once", { timeout: 60_000 }, async () => {
  const project = cliProject({
    "many.ts": `
      import { pipeline } from "millrace";
      const p = pipeline("many");
      const feed = p.source("feed", function* () {
        for (let n = 0; n < 2_500; n++) yield { n, text: n % 250 === 0 ? "x".repeat(900_000) : "" };
      });
      feed.to(p.sink("out", ({ n }) => { throw new Error("no " + n); }, { retry: { attempts: 1 }, breaker: false }));
      export default p;
    `,
  });
  const { json } = await project.run("many.ts", [], { timeoutMs: 50_000 });
  expect(json.stages.out?.dead).toBe(2_500);

  const letters = await list(project, "many");
  const numbers = letters.map(({ item }) => (item as { n: number }).n);
  expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 2_500 }, (_, n) => n));
  expect(letters.filter(({ item }) => (item as { text: string }).text.length === 900_000)).toHaveLength(10);

  const table = await project.millrace(["dead", "list", "many", "--data", project.data]);
  expect(table.stdout.trimEnd().split("\n")).toHaveLength(2_501);
  expect(table.stderr).toContain("2,500 dead letters");
});

test("what user code threw is shown to a terminal, not obeyed by it", async () => {
  const project = cliProject({
    "rude.ts": `
      import { pipeline } from "millrace";
      const p = pipeline("rude");
      const feed = p.source("feed", function* () { yield "\\u001b]0;title\\u0007"; });
      feed.to(p.sink("out", () => { throw new Error("\\u001b[2J\\u001b[31mred\\nsecond line"); }, { retry: { attempts: 1 } }));
      export default p;
    `,
  });
  await project.run("rude.ts");
  const [letter] = await list(project, "rude");
  expect(letter?.item).toBe("\u001b]0;title\u0007");

  const table = await project.millrace(["dead", "list", "rude", "--data", project.data]);
  expect(table.stdout).toContain("\\x1b[2J\\x1b[31mred");
  expect(table.stdout).not.toContain("\u001b");
  expect(table.stdout).not.toContain("second line");
  const shown = await project.millrace(["dead", "show", "rude", letter?.id ?? "", "--data", project.data]);
  expect(shown.stdout).not.toContain("\u001b");
  expect(shown.stdout).toContain("second line");
});

test("what is not there is said with its name and what is there: exit code 3, and nothing is made", async () => {
  const project = cliProject({ "odd.ts": ODD });
  const { run } = (await project.run("odd.ts")).json;
  const nowhere = project.path("nowhere");
  const data = ["--data", project.data];

  const cases: [args: string[], code: string, says: string][] = [
    [["list", "odd", "--data", nowhere], "MR_RUN_UNKNOWN", "nowhere"],
    [["list", "other", ...data], "MR_RUN_UNKNOWN", "odd"],
    [["list", "odd/other", ...data], "MR_RUN_UNKNOWN", "feed, check, out"],
    [["list", "odd", "--run", "other", ...data], "MR_RUN_UNKNOWN", run],
    [["show", "odd", "other", ...data], "MR_DEAD_LETTER_UNKNOWN", "other"],
  ];
  for (const [args, error, says] of cases) {
    const { code, stdout, stderr } = await project.millrace(["dead", ...args]);
    expect([args, code, stdout]).toEqual([args, 3, ""]);
    expect(stderr).toContain(error);
    expect(stderr).toContain(says);
  }
  expect(existsSync(nowhere)).toBe(false);
});

test("a directory that is not millrace's is left alone: exit code 4; a target that is none is wrong usage: 2", async () => {
  const project = cliProject({ "odd.ts": ODD });
  const before = readdirSync(project.folder);

  const foreign = await project.millrace(["dead", "list", "odd", "--data", project.folder]);
  expect(foreign.code).toBe(4);
  expect(foreign.stderr).toContain("MR_DATA_NOT_OURS");
  expect(readdirSync(project.folder)).toEqual(before);

  for (const target of ["../odd", "odd/check/more", ""]) {
    expect((await project.millrace(["dead", "list", target, "--data", project.data])).code).toBe(2);
  }
});

test("a run that is to be resumed waits for those who only read it", { timeout: 60_000 }, async () => {
  const project = cliProject({
    "stops.ts": ODD.replaceAll('"odd"', '"stops"')
      .replace("yield { n }; }", "yield { n }; if (!existsSync('go')) throw new Error('not yet'); }")
      .replace("import", 'import { existsSync } from "node:fs"; import'),
  });
  const failed = await project.run("stops.ts");
  expect(failed.code).toBe(1);
  const lock = join(project.data, "stops", failed.json.run, "lock");
  const note = JSON.stringify({ control: "", streams: "", secret: "" });
  writeFileSync(lock, JSON.stringify({ pid: process.pid, startTime: "", note }));

  project.write("go", "");
  const running = project.start("stops.ts", [], { timeoutMs: 50_000 });
  const release = setTimeout(() => rmSync(lock), 1_500);
  const { code, json, stderr } = await running.ended;
  clearTimeout(release);

  expect(stderr).toContain("stops resumes");
  expect(code).toBe(8);
  expect(json.run).toBe(failed.json.run);
});
