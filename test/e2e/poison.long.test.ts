import { expect, test } from "vitest";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";
import type { CliResult } from "../support/run-cli.ts";

const LIMIT = { timeout: 150_000 };

/** A pipeline whose stage `work` does `deed(kind)` on items that are marked; all others must come out once. */
function poisonous(
  deeds: string,
  options: string,
  parts: { items?: number; marked: string; batch?: boolean; before?: string },
): CliProject {
  const { items = 120, marked, batch = false, before = "" } = parts;
  return cliProject({
    "poison.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      type Item = { n: number; deed: string | undefined };
      const marked: Record<number, string> = ${marked};
      const deeds: Record<string, (n: number) => unknown> = ${deeds};
      const p = pipeline("poison");
      const feed = p.source("feed", function* () { for (let n = 0; n < ${items}; n++) yield { n, deed: marked[n] }; });
      const one = async ({ n, deed }: Item) => {
        ${before}
        if (deed !== undefined) { note({ n, pid: process.pid, at: Date.now() }, "deeds"); await deeds[deed]?.(n); }
        return n;
      };
      const work = ${
        batch
          ? `p.stage("work", async (items: Item[]) => { const done: number[] = []; for (const item of items) done.push(await one(item)); return done; }, ${options})`
          : `p.stage("work", one, ${options})`
      };
      feed.to(work).to(p.sink("out", (n: number) => note(n)));
      export default p;
    `,
  });
}

const KILLERS = `{
  abort: () => process.abort(),
  exit0: () => process.exit(0),
  exit1: () => process.exit(1),
  kill: () => process.kill(process.pid, "SIGKILL"),
  segfault: () => process.kill(process.pid, "SIGSEGV"),
}`;

const RETRY = `retry: { attempts: 3, backoff: { initialMs: 10, jitter: "none" } }`;

/** Exactly the marked items are dead letters, for this reason; every other item reached the sink once. */
async function expectOnlyMarked(
  project: CliProject,
  result: CliResult,
  expected: { items?: number; marked: readonly number[]; reason: string; attempts: number; error: RegExp },
): Promise<void> {
  const { items = 120, marked, reason, attempts, error } = expected;
  const { code, json } = result;
  expect({ code, status: json.status, unsettled: unsettled(json) }).toEqual({
    code: 8,
    status: "completed",
    unsettled: {},
  });
  const innocent = Array.from({ length: items }, (_, n) => n).filter((n) => !marked.includes(n));
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(innocent);
  expect(json.stages.work).toMatchObject({
    accepted: items,
    completed: innocent.length,
    dead: marked.length,
  });
  const letters = await project.deadLetters("poison/work");
  expect(letters.map(({ item }) => (item as { n: number }).n).sort((a, b) => a - b)).toEqual(
    [...marked].sort((a, b) => a - b),
  );
  for (const letter of letters) {
    expect({ reason: letter.reason, attempts: letter.attempts.length }).toEqual({ reason, attempts });
    for (const attempt of letter.attempts)
      expect(`${attempt.error.code} ${attempt.error.message}`).toMatch(error);
  }
}

const marked = { 3: "abort", 4: "exit0", 40: "exit1", 41: "kill", 42: "abort", 99: "segfault" };
const numbers = Object.keys(marked).map(Number);

test(
  "items that end their process - abort, exit, signals - are dead letters, no neighbour is charged",
  LIMIT,
  async () => {
    const project = poisonous(KILLERS, `{ ${RETRY} }`, {
      marked: JSON.stringify(marked),
      before: "await sleep(1);",
    });
    const result = await project.run("poison.ts");
    await expectOnlyMarked(project, result, {
      marked: numbers,
      reason: "killed",
      attempts: 1,
      error: /^MR_KILLED .*(SIG|exit code)/,
    });
    const deaths = project.notes<{ n: number }>("deeds").map(({ n }) => n);
    // One in company, one alone behind another item, two alone and first in their process: the last two tell for certain.
    for (const n of numbers)
      expect(deaths.filter((death) => death === n).length, `deaths of ${n}`).toBeLessThanOrEqual(4);
  },
);

test("the same with three instances, four calls at a time, and with batches", LIMIT, async () => {
  const options = { marked: JSON.stringify(marked), before: "await sleep(n % 5);" };
  const crowd = poisonous(KILLERS, `{ concurrency: 4, instances: 3, ${RETRY} }`, options);
  const batch = poisonous(KILLERS, `{ batch: { size: 10, withinMs: 20 }, ${RETRY} }`, {
    ...options,
    batch: true,
  });
  const [crowdResult, batchResult] = await Promise.all([
    crowd.run("poison.ts", ["--streams", "file:"], { timeoutMs: 100_000 }),
    batch.run("poison.ts", ["--streams", "file:"], { timeoutMs: 100_000 }),
  ]);
  const expected = { marked: numbers, reason: "killed", attempts: 1, error: /^MR_KILLED / };
  await expectOnlyMarked(crowd, crowdResult, expected);
  await expectOnlyMarked(batch, batchResult, expected);
});

test("an item that eats memory without end takes nobody with it: heap and buffers", LIMIT, async () => {
  const project = poisonous(
    `{
      heap: () => { const kept: unknown[] = []; for (;;) kept.push(new Array(10_000).fill({})); },
      buffers: () => { const kept: Buffer[] = []; for (;;) kept.push(Buffer.alloc(4_000_000, 1)); },
    }`,
    `{ resources: { memory: "96MB" }, ${RETRY} }`,
    { items: 40, marked: `{ 7: "heap", 20: "buffers" }`, before: "await sleep(1);" },
  );
  const result = await project.run("poison.ts", [], { timeoutMs: 100_000 });
  await expectOnlyMarked(project, result, {
    items: 40,
    marked: [7, 20],
    reason: "killed",
    attempts: 1,
    error: /^MR_KILLED /,
  });
});

test(
  "a loop without end and a promise that never settles are timed out, the others go on",
  LIMIT,
  async () => {
    const limits = `timeoutMs: 500, graceMs: 200, ${RETRY.replace("attempts: 3", "attempts: 2")}`;
    const deeds = `{ loop: () => { for (;;); }, never: () => new Promise(() => setInterval(() => {}, 1_000)) }`;
    const single = poisonous(deeds, `{ ${limits} }`, {
      items: 60,
      marked: `{ 5: "loop", 6: "never", 50: "loop" }`,
      before: "await sleep(1);",
    });
    const crowd = poisonous(deeds, `{ concurrency: 4, ${limits} }`, {
      items: 60,
      marked: `{ 5: "never", 6: "never", 50: "loop" }`,
      before: "await sleep(2);",
    });
    const [singleResult, crowdResult] = await Promise.all([single.run("poison.ts"), crowd.run("poison.ts")]);
    const expected = {
      items: 60,
      marked: [5, 6, 50],
      reason: "timeout",
      attempts: 2,
      error: /^MR_CALL_TIMEOUT .*500 ms/,
    };
    await expectOnlyMarked(single, singleResult, expected);
    await expectOnlyMarked(crowd, crowdResult, expected);
    // The second call begins only when the first one's process is gone.
    const calls = single.notes<{ n: number; pid: number; at: number }>("deeds").filter(({ n }) => n === 6);
    expect(calls).toHaveLength(2);
    expect(calls[0]?.pid).not.toBe(calls[1]?.pid);
    expect((calls[1]?.at ?? 0) - (calls[0]?.at ?? 0)).toBeGreaterThanOrEqual(650);
  },
);

test(
  "onFailed is told of items that died or hung, with item and error; one that ends its process harms only its item",
  LIMIT,
  async () => {
    const told = `onFailed: ({ n }, error, ctx) => { note([n, (error as { code?: string }).code ?? error.message, ctx.item.id], "told"); if (n === 30 || n === 31) process.exit(9); }`;
    const project = poisonous(
      `{ abort: () => process.abort(), loop: () => { for (;;); }, throws: () => { throw new Error("plain"); } }`,
      `{ timeoutMs: 500, graceMs: 200, ${RETRY.replace("attempts: 3", "attempts: 2")}, ${told} }`,
      { items: 60, marked: `{ 4: "abort", 5: "loop", 6: "throws", 30: "throws", 31: "abort" }` },
    );
    const { code, json } = await project.run("poison.ts");
    expect({ code, status: json.status, unsettled: unsettled(json) }).toEqual({
      code: 8,
      status: "completed",
      unsettled: {},
    });
    const letters = await project.deadLetters("poison/work");
    const dead = letters
      .map(({ item, reason }) => [(item as { n: number }).n, reason])
      .sort(([a], [b]) => Number(a) - Number(b));
    expect(dead).toEqual([
      [4, "killed"],
      [5, "timeout"],
      [6, "error"],
      [30, "killed"],
      [31, "killed"],
    ]);
    expect(project.notes<number>().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, n) => n).filter((n) => ![4, 5, 6, 30, 31].includes(n)),
    );
    // A hook whose process dies before its item is settled is called again: once each is more than can be had here.
    const hooks = [
      ...new Map(project.notes<[number, string, string]>("told").map((told) => [told[0], told])).values(),
    ];
    const id = (n: number) => letters.find(({ item }) => (item as { n: number }).n === n)?.id;
    expect(hooks.filter(([n]) => n < 10).sort(([a], [b]) => a - b)).toEqual([
      [4, "MR_KILLED", id(4)],
      [5, "MR_CALL_TIMEOUT", id(5)],
      [6, "plain", id(6)],
    ]);
  },
);

test("a batch that hangs for one of its items charges that item alone", LIMIT, async () => {
  const project = poisonous(
    `{ loop: () => { for (;;); }, never: () => new Promise(() => setInterval(() => {}, 1_000)) }`,
    `{ batch: { size: 8, withinMs: 20 }, timeoutMs: 500, graceMs: 200, ${RETRY.replace("attempts: 3", "attempts: 2")} }`,
    { items: 40, marked: `{ 5: "loop", 20: "never" }`, batch: true },
  );
  const result = await project.run("poison.ts");
  await expectOnlyMarked(project, result, {
    items: 40,
    marked: [5, 20],
    reason: "timeout",
    attempts: 2,
    error: /^MR_CALL_TIMEOUT /,
  });
});

test("a call may block its process for as long as its time lasts: nothing is repeated", LIMIT, async () => {
  const project = poisonous(
    `{ block: () => { const until = Date.now() + 2_000; while (Date.now() < until); } }`,
    `{ concurrency: 2 }`,
    { items: 50, marked: `{ 10: "block" }` },
  );
  const { code, json } = await project.run("poison.ts");
  expect(code).toBe(0);
  expect(project.notes("deeds")).toHaveLength(1);
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(json.repeats).toEqual({});
});

test(
  "errors that nobody awaits - a rejection, a throwing timer - end the process, and the item that caused them",
  LIMIT,
  async () => {
    const project = poisonous(
      `{
      rejection: async () => { void Promise.reject(new Error("nobody awaits me")); await sleep(20); },
      timer: async () => { setTimeout(() => { throw new TypeError("out of a timer"); }, 5); await sleep(50); },
    }`,
      `{ ${RETRY} }`,
      { items: 60, marked: `{ 5: "rejection", 6: "timer", 30: "timer" }`, before: "await sleep(1);" },
    );
    const result = await project.run("poison.ts");
    await expectOnlyMarked(project, result, {
      items: 60,
      marked: [5, 6, 30],
      reason: "killed",
      attempts: 1,
      error: /^MR_KILLED .*(nobody awaits me|out of a timer)/,
    });
    expect(result.stderr).toContain("nobody awaits me");
  },
);

test("a call that is over when its timer throws costs a process, but no innocent item", LIMIT, async () => {
  const deeds = `{ delayed: () => { setTimeout(() => { throw new Error("too late"); }, 8); } }`;
  const options = {
    items: 60,
    marked: `{ 5: "delayed", 6: "delayed", 7: "delayed", 30: "delayed" }`,
    before: "await sleep(6);",
  };
  const single = poisonous(deeds, `{ ${RETRY} }`, options);
  // In a batch the marked item is still in hand when its timer throws; alone it is not.
  const batch = poisonous(deeds, `{ batch: { size: 12, withinMs: 20 }, ${RETRY} }`, {
    ...options,
    batch: true,
  });
  const results = await Promise.all([single.run("poison.ts"), batch.run("poison.ts")]);
  for (const [i, project] of [single, batch].entries()) {
    const { code, json } = results[i] as CliResult;
    const letters = code === 8 ? await project.deadLetters("poison/work") : [];
    const dead = letters.map(({ item }) => (item as { n: number }).n);
    // Whether a marked item is settled before its timer fires is a matter of milliseconds; all others come out once.
    expect(dead.filter((n) => ![5, 6, 7, 30].includes(n))).toEqual([]);
    expect([...project.notes<number>(), ...dead].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, n) => n),
    );
    expect(json.status).toBe("completed");
  }
});
