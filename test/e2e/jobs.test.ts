import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { RunResult } from "../../src/definition/run-result.ts";
import { cliProject, unsettled } from "../support/cli-project.ts";
import { jobStorm } from "../support/job-storm.ts";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Runs an example as a user would, from the repository. */
function example(name: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const data = mkdtempSync(join(tmpdir(), "millrace-example-"));
  onTestFinished(() => rmSync(data, { recursive: true, force: true }));
  const command = ["bin/millrace.js", "run", `examples/${name}/${name}.ts`, "--data", data, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: repository }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
    });
  });
}

test("the examples: the lines of a text reversed, and pi", async () => {
  const reverse = await example("reverse");
  expect(reverse).toMatchObject({ code: 0, stdout: "olleh\ndlrow\n" });
  const pi = await example("pi", "--param", "tasks=50", "--instances", "process=2");
  expect(pi.code).toBe(0);
  expect(Number(pi.stdout)).toBeCloseTo(Math.PI, 6);
});

test("a failed task fails the job; the same command goes on with what is left once the code is mended", async () => {
  const source = (broken: boolean): string => `
    import { appendFileSync } from "node:fs";
    import { job } from "millrace";
    import { note } from "./note.ts";
    console.log("module");
    export default job("mend", {
      process: async (line: string) => {
        if (line === "13" && ${broken}) throw new RangeError("unlucky");
        if (line === "14" && ${broken}) process.kill(process.pid, "SIGABRT");
        note(line);
        console.log("worked on", line);
        return line.length;
      },
      combine: (lengths) => {
        if (lengths.length > 0 && ${broken}) throw new Error("never");
        return { sum: lengths.reduce((a, b) => a + b, 0), when: new Date(0), many: new Map([["n", lengths.length]]) };
      },
      retry: { attempts: 2, backoff: { initialMs: 1 } },
      onTaskFailure: "fail",
    });`;
  const project = cliProject({
    "job.ts": source(true),
    "lines.txt": Array.from({ length: 40 }, (_, i) => `${i}\n`).join(""),
    "other.txt": "1\n",
  });
  const failed = await project.run("job.ts", ["--input", "lines.txt"]);
  expect(failed.code).toBe(1);
  expect(failed.json).toMatchObject({ status: "failed", error: { code: "MR_JOB_FAILED" } });
  const task = failed.json.failedTask;
  expect([13, 14]).toContain(task?.position);
  expect(task?.input).toBe(String(task?.position));
  expect(failed.json.stages.process).toMatchObject({ dead: 0 });

  const other = await project.run("job.ts", ["--input", "other.txt"]);
  expect(other.code).toBe(4);
  expect(other.stderr).toMatch(/MR_RUN_CONFLICT.*lines\.txt/);
  expect((await project.run("job.ts")).code).toBe(4);
  expect((await project.run("job.ts", ["--input", "missing.txt"])).code).toBe(3);

  const before = project.notes().length;
  project.write("job.ts", source(false));
  const mended = await project.millrace(["run", "job.ts", "--input", "lines.txt", "--data", project.data]);
  expect(mended.code, mended.stderr).toBe(0);
  // Nothing but the result, whatever user code prints.
  expect(mended.stdout).toBe('{"sum":70,"when":"1970-01-01T00:00:00.000Z","many":{"n":40}}\n');
  expect(mended.stderr).toContain("worked on");
  expect(mended.stderr).toContain("module");
  expect(mended.stderr).toContain("resumes");
  const worked = project.notes<string>().map(Number);
  expect([...new Set(worked)].sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  // Only what had no result is done again.
  expect(worked.length - before).toBe(40 - (failed.json.stages.process?.completed ?? 0));
});

test("a combine that throws keeps the results: the mended one is all that runs; --input from stdin is kept too", async () => {
  const source = (combine: string): string => `
    import { job } from "millrace";
    import { note } from "./note.ts";
    export default job("recombine", {
      inputAs: "lines",
      async *split(lines) { let n = 0; for await (const line of lines) yield { n: n++, line }; },
      process: ({ line }) => { note(line); return line.toUpperCase(); },
      combine: ${combine},
    });`;
  const project = cliProject({ "job.ts": source('() => { throw new Error("not yet"); }') });
  const text = "one\r\ntwo\n\nfour";
  const command = ["-c", 'printf "$0" | "$@"', text, process.execPath, join(repository, "bin/millrace.js")];
  const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile(
        "sh",
        [...command, "run", "job.ts", "--input", "-", "--data", project.data, ...args],
        { cwd: project.folder },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
      );
    });
  const failed = await run("--json");
  expect(failed.code).toBe(1);
  expect((JSON.parse(failed.stdout) as RunResult).error).toMatchObject({
    code: "MR_COMBINE_FAILED",
    message: expect.stringMatching(/combine threw: Error: not yet/),
  });
  project.write("job.ts", source('(lines) => lines.join("|")'));
  expect(await run()).toMatchObject({ code: 0, stdout: "ONE|TWO||FOUR\n" });
  expect(project.notes()).toEqual(["one", "two", "", "four"]);
});

test("with skip the command ends with 8, the dead letter is there, and the fold lacks it", async () => {
  const project = cliProject({
    "job.ts": `
      import { job } from "millrace";
      export default job("skips", {
        input: [1, 2, 3],
        process: (n: number) => { if (n === 2) throw new Error("two"); return n * 10; },
        retry: { attempts: 1 },
        combine: { init: () => [] as number[], add: (all, n, index) => { all.push(index, n); }, finish: (all) => all },
        onTaskFailure: "skip",
      });`,
  });
  const { code, json } = await project.run("job.ts");
  expect(code).toBe(8);
  expect(json.result).toEqual([0, 10, 2, 30]);
  expect(unsettled(json)).toEqual({});
  const [letter] = await project.deadLetters("skips/process");
  expect(letter).toMatchObject({ stage: "process", item: 2, reason: "error" });
});

test("run() of a job over processes: values and lazy inputs travel, the handle tells, other inputs are another run", async () => {
  const project = cliProject({
    "job.ts": `
      import { job } from "millrace";
      export default job("program", {
        module: import.meta.url,
        async *split(input: AsyncIterable<Map<string, number>> | Map<string, number>) {
          if (input instanceof Map) yield* input.values();
          else for await (const map of input) yield* map.values();
        },
        process: (n) => ({ n, at: new Date(n) }),
      });`,
    "program.ts": `
      import { run, start, JobFailedError } from "millrace";
      import job from "./job.ts";
      const data = process.argv[2] as string;
      const first = await run(job, { data, input: new Map([["a", 1], ["b", 2]]) });
      async function* lazy() { for (let n = 0; n < 5000; n++) yield new Map([["n", n]]); }
      const handle = await start(job, { data, input: lazy() });
      let last;
      for await (const progress of handle.progress()) last = progress;
      const second = await handle.result();
      const url = await run<typeof job>(new URL("./job.ts", import.meta.url), { data, input: new Map() });
      console.log(JSON.stringify({ first: first.result, last, count: second.length, in: second.every((r, i) => r.n === i && r.at instanceof Date), empty: url.result }));
    `,
  });
  const program = project.path("program.mjs");
  const { build } = await import("esbuild");
  await build({
    entryPoints: [project.path("program.ts")],
    outfile: program,
    format: "esm",
    bundle: true,
    external: ["millrace"],
    platform: "node",
    define: { "import.meta.url": JSON.stringify(`file://${project.path("job.ts")}`) },
  });
  const { symlinkSync } = await import("node:fs");
  symlinkSync(repository, project.path("node_modules/millrace"));
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [program, project.data], { cwd: project.folder }, (error, out, err) =>
      error ? reject(new Error(`${err}${out}`)) : resolve(out),
    );
  });
  expect(JSON.parse(stdout)).toEqual({
    first: [
      { n: 1, at: new Date(1).toISOString() },
      { n: 2, at: new Date(2).toISOString() },
    ],
    last: { done: 5_000, total: 5_000, failed: 0, running: 0 },
    count: 5_000,
    in: true,
    empty: [],
  });
});

test("kills of every part of a job, and of all of it, give every result exactly once", {
  timeout: 60_000,
}, async () => {
  const kills = ["process", "combine", "streams", "split", "run"] as const;
  const report = await jobStorm({ exportName: "fold", tasks: 150_000, seed: 5, kills, everyMs: 150 });
  expect(report.code, report.stderr).toBe(0);
  expect(report.result?.result, report.landed.join(", ")).toMatchObject({ count: 150_000, wrong: 0 });
});

test("a skipped task that is replayed takes its place in the result", async () => {
  const project = cliProject({
    "job.ts": `
      import { existsSync } from "node:fs";
      import { job } from "millrace";
      const options = {
        process: (line: string) => {
          if (Number(line) % 3 === 0 && !existsSync("fixed")) throw new Error("three");
          return line;
        },
        concurrency: 2,
        retry: { attempts: 1 },
        onTaskFailure: "skip",
      } as const;
      const fold = (ordered: boolean) => ({
        init: { all: "" },
        add: (acc: { all: string }, line: string, index: number) => {
          acc.all += \` \${index}:\${line}\`;
        },
        finish: (acc: { all: string }) => (acc.all += " end"),
        ordered,
      });
      export const fold1 = job("fold1", { ...options, combine: fold(true) });`,
    "in.txt": "1\n2\n3\n4\n6\nz\n",
  });
  const run = (name: string) =>
    project.millrace(["run", `job.ts#${name}`, "--input", "in.txt", "-q", "--data", project.data]);
  const replay = (name: string, ...args: string[]) =>
    project.millrace(["dead", "replay", name, "--data", project.data, ...args]);
  expect((await run("fold1")).stdout).toBe(" 0:1 1:2 3:4 5:z end\n");
  project.write("fixed", "");
  const folded = await replay("fold1", "--all");
  expect(folded.code).toBe(0);
  expect(folded.stdout).toMatch(/^ 0:1 1:2 3:4 5:z (?:2:3 4:6|4:6 2:3) end\n$/);
});
