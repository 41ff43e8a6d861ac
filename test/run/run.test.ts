import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { pipeline, run, start } from "millrace";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const quick = { attempts: 2, backoff: { initialMs: 1, jitter: "none" } } as const;

test("run() of a pipeline without a module runs in this process and accounts for every item", async () => {
  const p = pipeline("in-process", { params: z.object({ items: z.number() }) });
  const seen: number[] = [];
  p.source("numbers", function* (ctx) {
    for (let i = 0; i < ctx.params.items; i++) yield i;
  })
    .to(p.stage("even", async (n: number) => (n % 2 === 0 ? n * 10 : undefined), { concurrency: 4 }))
    .to(p.sink("out", (n: number) => void seen.push(n)));
  const result = await run(p, { params: { items: 1_000 } });
  expect(result.status).toBe("completed");
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 500 }, (_, i) => i * 20));
  expect(result.stages.even).toMatchObject({
    accepted: 1_000,
    completed: 500,
    filtered: 500,
    dead: 0,
    emitted: 500,
  });
  expect(result.stages.out).toMatchObject({ accepted: 500, completed: 500 });
});

test("an output goes along each of forty edges whose condition holds, and along no other", async () => {
  const p = pipeline("wide");
  const seen = new Map<number, number[]>();
  const source = p.source("numbers", function* () {
    for (let i = 0; i < 80; i++) yield i;
  });
  for (let edge = 0; edge < 40; edge++) {
    seen.set(edge, []);
    const sink = p.sink(`out-${edge}`, (n: number) => void seen.get(edge)?.push(n));
    source.to(sink, { when: (n) => n % 40 === edge });
  }
  const result = await run(p);
  expect(result.status).toBe("completed");
  for (const [edge, items] of seen) expect(items.sort((a, b) => a - b)).toEqual([edge, edge + 40]);
});

test("params are checked before anything starts", async () => {
  const p = pipeline("params", { params: z.object({ items: z.number() }) });
  let started = false;
  p.source("numbers", function* () {
    started = true;
    yield 1;
  }).to(p.sink("out", () => undefined));
  await expect(run(p, { params: { items: "many" } as never })).rejects.toMatchObject({
    code: "MR_BAD_PARAMS",
  });
  expect(started).toBe(false);
});

test("an item that fails to the end is dead, the others are not held back; setup and teardown take place", async () => {
  const p = pipeline("failing");
  const life: string[] = [];
  const buried: unknown[] = [];
  p.source("numbers", function* () {
    for (let i = 0; i < 10; i++) yield i;
  }).to(
    p.sink(
      "out",
      {
        setup: () => {
          life.push("setup");
          return { sum: 0 };
        },
        run: (n: number, ctx) => {
          if (n === 3) throw new RangeError("three");
          ctx.state.sum += n;
        },
        teardown: ({ sum }) => void life.push(`teardown ${sum}`),
      },
      { retry: quick, onFailed: (item, error) => void buried.push([item, error.message]) },
    ),
  );
  const result = await run(p);
  expect(result.status).toBe("completed");
  expect(result.stages.out).toMatchObject({ accepted: 10, completed: 9, dead: 1 });
  expect(life).toEqual(["setup", "teardown 42"]);
  expect(buried).toEqual([[3, "three"]]);
});

test("a call that never settles is given up after time-out and grace, and the run completes", async () => {
  const p = pipeline("hanging");
  p.source("numbers", function* () {
    yield* [1, 2, 3];
  }).to(
    p.sink("out", (n: number) => (n === 2 ? new Promise<never>(() => undefined) : undefined), {
      timeoutMs: 30,
      graceMs: 30,
      retry: { attempts: 1 },
    }),
  );
  const result = await run(p);
  expect(result.stages.out).toMatchObject({ accepted: 3, completed: 2, dead: 1 });
});

test("an onFailed that never settles holds its item no longer than a call, and is named in the log", async () => {
  const said: string[] = [];
  const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
  onTestFinished(() => write.mockRestore());
  const p = pipeline("silent");
  p.source("numbers", function* () {
    yield* [1, 2, 3];
  }).to(
    p.sink(
      "out",
      (n: number) => {
        if (n < 3) throw new Error("no");
      },
      {
        timeoutMs: 40,
        retry: { attempts: 1 },
        onFailed: (n) => (n === 1 ? new Promise<void>(() => undefined) : Promise.resolve()),
      },
    ),
  );
  const result = await run(p);
  expect(result.stages.out).toMatchObject({ accepted: 3, completed: 1, dead: 2 });
  expect(said.filter((line) => line.includes("onFailed has not settled")).length).toBe(1);
});

test("what a synchronous call gives back within time-out and grace counts, as nobody could tell it to end", async () => {
  const p = pipeline("blocking");
  const calls: number[] = [];
  const block = (n: number): number => {
    calls.push(n);
    const until = performance.now() + (n === 1 ? 100 : n === 2 ? 300 : 0);
    while (performance.now() < until);
    return n;
  };
  p.source("numbers", function* () {
    yield* [1, 2, 3];
  })
    .to(p.stage("block", block, { timeoutMs: 50, graceMs: 200, retry: { attempts: 1 } }))
    .to(p.sink("out", () => undefined));
  const result = await run(p);
  expect(calls).toEqual([1, 2, 3]);
  expect(result.stages.block).toMatchObject({ accepted: 3, completed: 2, dead: 1 });
});

test("a source that keeps throwing fails the run; run() resolves and says why", async () => {
  const p = pipeline("bad-source");
  // biome-ignore lint/correctness/useYield: it throws before it would
  p.source("numbers", function* (): Generator<number> {
    throw new Error("no numbers today");
  }).to(p.sink("out", () => undefined));
  const result = await run(p);
  expect(result.status).toBe("failed");
  expect(result.error).toMatchObject({ code: "MR_SOURCE_FAILED" });
  expect(result.error?.message).toContain("no numbers today");
});

test("a signal stops an endless run, drained", async () => {
  const p = pipeline("endless");
  const abort = new AbortController();
  let count = 0;
  p.source("ticks", async function* () {
    for (let i = 0; ; i++) {
      yield i;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }).to(
    p.sink("out", () => {
      if (++count === 50) abort.abort();
    }),
  );
  const result = await run(p, { signal: abort.signal });
  expect(result.status).toBe("stopped");
  expect(count).toBeGreaterThanOrEqual(50);
});

test("a module by its URL runs in processes of its own, and a handle tells how it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-run-"));
  folders.push(folder);
  writeFileSync(
    join(folder, "squares.ts"),
    `import { appendFileSync } from "node:fs";
     import { pipeline } from "millrace";
     const p = pipeline("squares");
     p.source("numbers", function* () { for (let i = 0; i < 100; i++) yield i; })
       .to(p.stage("square", (n: number): number => n * n))
       .to(p.sink("out", (n: number) => appendFileSync(new URL("./out.txt", import.meta.url), process.pid + " " + n + "\\n")));
     export default p;`,
  );
  const handle = await start(pathToFileURL(join(folder, "squares.ts")), { data: join(folder, "data") });
  expect((await handle.status()).run).toBe(handle.run);
  const result = await handle.done;
  expect(result).toMatchObject({ run: handle.run, status: "completed" });
  expect(result.stages.out).toMatchObject({ accepted: 100, completed: 100 });
  const { readFileSync } = await import("node:fs");
  const lines = readFileSync(join(folder, "out.txt"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  expect(lines.map(([, n]) => Number(n)).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 100 }, (_, i) => i * i),
  );
  expect(lines.every(([pid]) => Number(pid) !== process.pid)).toBe(true);
});

test("something that is no pipeline is refused", async () => {
  await expect(run(42 as never)).rejects.toMatchObject({ code: "MR_NOTHING_TO_RUN" });
});

test.each([
  ["none", { work: 0 }, "0 (number); give a whole number from 1 to 1000"],
  ["half a process", { work: 1.5 }, "1.5 (number); give a whole number"],
  ["a text", { work: "2" as unknown as number }, '"2"; give a whole number'],
  ["two of a source", { numbers: 2 }, "a source runs in exactly one instance"],
  ["some of a stage that is not there", { werk: 2 }, 'has no stage "werk"'],
])("instances that a stage cannot have are refused before anything runs: %s", async (_, instances, told) => {
  const p = pipeline("crowd");
  let hasStarted = false;
  p.source("numbers", function* () {
    hasStarted = true;
    yield 1;
  }).to(p.sink("work", () => undefined));
  await expect(run(p, { instances: instances as Record<string, number> })).rejects.toMatchObject({
    code: "MR_USAGE",
    message: expect.stringContaining(told),
  });
  expect(hasStarted).toBe(false);
});
