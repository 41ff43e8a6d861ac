import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";
import type { StoredDeadLetter } from "../support/dead-letter.ts";

const LIMIT = { timeout: 150_000 };
const RETRY = `retry: { attempts: 3, backoff: { initialMs: 20, factor: 2, jitter: "none" } }`;

test(
  "a stage that throws on marked items ends with exactly those in the dead letters, exact payload and every attempt's error",
  LIMIT,
  async () => {
    const project = cliProject({
      "throws.ts": `import { pipeline, RetryLater, TerminalError } from "millrace";
import { note } from "./note.ts";
type Item = { n: number; text: string; when: Date; big: bigint };
class HttpError extends Error { name = "HttpError"; code = "E_TEAPOT"; }
const p = pipeline("throws");
const feed = p.source("feed", function* () {
  for (let n = 0; n < 500; n++) yield { n, text: "item " + n, when: new Date(n), big: BigInt(n) ** 20n };
});
const fails: Record<number, (item: Item, attempt: number) => unknown> = {
  10(item) { throw new HttpError("teapot " + item.n); },
  11: async (item) => { await null; throw new RangeError("async " + item.n); },
  12() { throw new TerminalError("beyond help"); },
  13(item, attempt) { if (attempt === 1) throw new RetryLater(250); if (attempt === 2) throw new RetryLater(0, "again"); throw new Error("last"); },
  14() { throw "just text"; },
  15() { throw { status: 500 }; },
  16() { throw undefined; },
  17: () => Promise.reject(null),
  18() { const error = new Error("unless"); error.name = "Hopeless"; throw error; },
  19(_item, attempt) { if (attempt < 3) throw new Error("attempt " + attempt); return "saved"; },
  20: () => new Promise((_, reject) => setTimeout(() => reject(new Error("later", { cause: new Error("why") })), 5)),
};
const work = p.stage("work", (item: Item, ctx) => {
  const fail = fails[item.n];
  if (fail !== undefined) note([item.n, ctx.item.attempt, ctx.item.id, ctx.item.idempotencyKey, Date.now()], "calls");
  return fail === undefined ? item.n : fail(item, ctx.item.attempt);
}, {
  ${RETRY.replace(" } }", ` }, unless: (error) => error.name === "Hopeless" }`)},
  onFailed: async (item, error, ctx) => { await null; note([item.n, error.name, ctx.item.id], "failed"); },
});
feed.to(work).to(p.sink("out", (value: unknown) => note(value)));
export default p;
`,
    });
    const { code, json } = await project.run("throws.ts");
    expect(code).toBe(8);
    expect(unsettled(json)).toEqual({});
    const dead = [10, 11, 12, 13, 14, 15, 16, 17, 18, 20];
    expect(json.stages.work).toMatchObject({ accepted: 500, completed: 490, dead: 10, emitted: 490 });
    const others = Array.from({ length: 500 }, (_, n) => (n === 19 ? "saved" : n)).filter(
      (n) => !dead.includes(n as number),
    );
    expect(project.notes<number | string>().sort()).toEqual(others.sort());

    const letters = new Map(
      (await project.deadLetters("throws")).map((letter) => [(letter.item as { n: number }).n, letter]),
    );
    expect([...letters.keys()].sort((a, b) => a - b)).toEqual(dead);
    const of = (n: number) => letters.get(n) as StoredDeadLetter;
    const errors = (n: number) => of(n).attempts.map(({ error }) => `${error.name}: ${error.message}`);
    const thrice = (text: string) => [text, text, text];
    expect(errors(10)).toEqual(thrice("HttpError: teapot 10"));
    expect(of(10).attempts.map(({ error }) => error.code)).toEqual(thrice("E_TEAPOT"));
    expect(errors(11)).toEqual(thrice("RangeError: async 11"));
    expect(errors(12)).toEqual(["TerminalError: beyond help"]);
    expect(errors(13)).toEqual(["RetryLater: retry in 250 ms", "RetryLater: again", "Error: last"]);
    expect(errors(14)).toEqual(thrice('NonError: a non-error was thrown: "just text"'));
    expect(errors(15)).toEqual(thrice('NonError: a non-error was thrown: {"status":500}'));
    expect(errors(16)).toEqual(thrice("NonError: a non-error was thrown: undefined"));
    expect(errors(17)).toEqual(thrice("NonError: a non-error was thrown: null"));
    expect(errors(18)).toEqual(["Hopeless: unless"]);
    expect(errors(20)).toEqual(thrice("Error: later"));

    // The exact payload, and the user's own file and line.
    expect(of(10)).toMatchObject({
      pipeline: "throws",
      run: json.run,
      stage: "work",
      reason: "error",
      headers: {},
      path: ["work"],
    });
    expect(of(10).item).toMatchObject({ n: 10, text: "item 10" });
    expect(JSON.stringify(of(10).item)).toContain("1970-01-01T00:00:00.010Z");
    expect(JSON.stringify(of(10).item)).toContain(String(10n ** 20n));
    expect(of(10).bundle).toMatch(/^[0-9a-f]{64}$/);
    expect(of(10).attempts[0]?.error.stack).toContain(`${project.path("throws.ts")}:10:`);
    expect(of(11).attempts[2]?.error.stack).toContain(`${project.path("throws.ts")}:11:`);
    expect(of(18).attempts[0]?.error.stack).toContain(`${project.path("throws.ts")}:18:`);

    // Every call, its number and time: the back-off, RetryLater's own delay, and one id for life.
    const calls = project.notes<[number, number, string, string, number]>("calls");
    for (const n of [...dead, 19]) {
      const mine = calls.filter(([item]) => item === n);
      expect(mine.map(([, attempt]) => attempt)).toEqual(
        n === 19 ? [1, 2, 3] : of(n).attempts.map((_, i) => i + 1),
      );
      expect(new Set(mine.map(([, , id]) => id)).size).toBe(1);
      if (n !== 19) expect(mine[0]?.[2]).toBe(of(n).id);
      expect(new Set(mine.map(([, , , key]) => key)).size).toBe(1);
    }
    const waits = (n: number) => {
      const at = of(n).attempts.map((attempt) => new Date(attempt.at).getTime());
      return at.slice(1).map((time, i) => time - (at[i] as number));
    };
    for (const n of [10, 11, 14]) {
      expect(waits(n)[0]).toBeGreaterThanOrEqual(19);
      expect(waits(n)[1]).toBeGreaterThanOrEqual(39);
    }
    expect(waits(13)[0]).toBeGreaterThanOrEqual(249);
    expect(waits(13)[1]).toBeLessThan(200);

    // onFailed once an item, before it is dead, with its last error.
    const failed = project.notes<[number, string, string]>("failed").sort(([a], [b]) => a - b);
    expect(failed).toEqual(dead.map((n) => [n, of(n).attempts.at(-1)?.error.name, of(n).id]));
  },
);

test("edges, return values and hooks that go wrong fail their item, and only that", LIMIT, async () => {
  const project = cliProject({
    "wrong.ts": `import { many, pipeline } from "millrace";
import { note } from "./note.ts";
const p = pipeline("wrong");
const feed = p.source("feed", function* () { for (let n = 0; n < 60; n++) yield n; });
const retry = { attempts: 2, backoff: { initialMs: 5, jitter: "none" } } as const;
const circle: Record<string, unknown> = { name: "circle" };
circle.self = { inner: circle };
const values: Record<number, () => unknown> = {
  20: () => ({ handler: () => 1 }), 21: () => ({ list: [1, Symbol("s")] }), 22: () => ({ later: Promise.resolve(1) }), 23: () => circle,
  24: () => "x".repeat(961 * 1024), 25: () => many([1, { bad: () => 2 }]), 26: () => ({ get boom() { throw new Error("getter"); } }),
  27: () => { let deep: unknown = 1; for (let i = 0; i < 100_000; i++) deep = [deep]; return deep; },
  28: () => "y".repeat(950 * 1024), 29: () => function* () { yield 1; },
  30: () => (function* () { yield 1; throw new Error("half way"); })(),
  31: () => (async function* () { yield 1; throw new Error("half way, async"); })(),
};
const encode = p.stage("encode", (n: number) => { const make = values[n]; return make === undefined ? n : make(); }, { retry });
const route = p.stage("route", (n: number) => n, { retry });
const hook = p.stage("hook", (n: number) => { if (n % 20 === 3) throw new Error("no " + n); return n; }, {
  retry: { ...retry, unless: (error) => { if (error.message === "no 23") throw new Error("unless threw"); return false; } },
  onFailed: (n) => { note(n, "failed"); if (n === 3) throw new Error("hook threw"); if (n === 43) return Promise.reject(new Error("hook rejected")); },
});
const group = p.stage("group", (items: number[]) => items, { batch: { size: 4, withinMs: 10, by: (n) => { if (n === 5) throw new Error("by threw"); return n % 2; } }, retry });
const bad = p.sink("bad", function* (n: number) { yield n; } as never, { retry: { attempts: 1 } });
const out = p.sink("out", (value: unknown) => note(typeof value === "string" ? value.length : value));
feed.to(encode).to(out);
feed.to(route);
route.to(out, { when: (n) => { if (n === 7) throw new TypeError("when threw"); return n === 8 ? (Promise.resolve(true) as never) : n < 10; } });
feed.to(hook).to(out);
feed.to(group).to(out);
feed.to(bad, { when: (n) => n === 59 });
export default p;
`,
  });
  const { code, json } = await project.run("wrong.ts");
  expect(code).toBe(8);
  expect(unsettled(json)).toEqual({});
  const letters = await project.deadLetters("wrong");
  const of = (stage: string) =>
    letters
      .filter((letter) => letter.stage === stage)
      .sort((a, b) => (a.item as number) - (b.item as number))
      .map(({ item, attempts }) => [
        item,
        attempts.length,
        attempts[0]?.error.code ?? attempts[0]?.error.message,
      ]);
  const path = (n: number) =>
    letters.find(({ stage, item }) => stage === "encode" && item === n)?.attempts[0]?.error.message;

  expect(of("encode")).toEqual([
    [20, 2, "MR_NOT_ENCODABLE"],
    [21, 2, "MR_NOT_ENCODABLE"],
    [22, 2, "MR_NOT_ENCODABLE"],
    [23, 2, "MR_NOT_ENCODABLE"],
    [24, 2, "MR_ITEM_TOO_LARGE"],
    [25, 2, "MR_NOT_ENCODABLE"],
    [26, 2, "MR_NOT_ENCODABLE"],
    [27, 2, "MR_NOT_ENCODABLE"],
    [29, 2, "MR_NOT_ENCODABLE"],
    [30, 2, "half way"],
    [31, 2, "half way, async"],
  ]);
  expect(path(20)).toContain("$.handler");
  expect(path(21)).toContain("$.list[1]");
  expect(path(22)).toContain("$.later");
  expect(path(23)).toContain("$.self.inner");
  expect(path(25)).toContain("$.bad");
  expect(path(26)).toContain("getter");
  expect(of("route")).toEqual([
    [7, 2, "when threw"],
    [8, 2, "MR_BAD_RETURN"],
  ]);
  expect(of("hook")).toEqual([
    [3, 2, "no 3"],
    [23, 2, "no 23"],
    [43, 2, "no 43"],
  ]);
  expect(project.notes<number>("failed").sort((a, b) => a - b)).toEqual([3, 23, 43]);
  // An item that failed is called alone from then on: there is no key to be asked for any more.
  expect(of("group")).toEqual([]);
  expect(of("bad")).toEqual([[59, 1, "MR_BAD_RETURN"]]);

  // Nothing of a failed item flowed on, all of the others did.
  const all = Array.from({ length: 60 }, (_, n) => n);
  const encoded = all.filter((n) => n < 20 || n > 31);
  const expected = [
    ...encoded,
    950 * 1024,
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    9,
    ...all.filter((n) => n % 20 !== 3),
    ...all,
  ];
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
  expect(json.stages.route).toMatchObject({ accepted: 60, completed: 8, filtered: 50, dead: 2 });
});
