import { expect, test } from "vitest";
import { cliProject, countsOf, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 150_000 };

test(
  "a graph of every kind of node and edge gives exactly the expected multiset and completes by itself",
  LIMIT,
  async () => {
    const project = cliProject({
      "graph.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { many, pipeline } from "millrace";
      import { note } from "./note.ts";
      type Word = { text: string; length: number };
      const isWord = (x: Word | null): x is Word => x !== null;

      const p = pipeline("graph");
      const numbers = p.source("numbers", function* () { for (let n = 0; n < 600; n++) yield n; });
      const words = p.source("words", async function* () {
        for (const word of ["", "b", "", "cc", "null"]) { await sleep(2); yield word; }
      });
      const silent = p.source("silent", () => [] as number[]);

      const even = p.stage("even", (n: number) => ({ n, by: "even" }));
      const odd = p.stage("odd", async (n: number) => { await sleep(n % 4); return { n, by: "odd" }; }, { concurrency: 8 });
      const copies = p.stage("copies", function* (n: number) { for (let i = 0; i < n % 3; i++) yield { n, by: "copy" + i }; });
      const slowCopies = p.stage("slow-copies", async function* (n: number) {
        for (let i = 0; i < 2; i++) { await sleep(1); yield { n, by: "slow" + i }; }
      }, { concurrency: 4 });
      const pairs = p.stage("pairs", async (n: number) => many([{ n, by: "pair" }, { n: -n, by: "pair" }]));
      const list = p.stage("list", (n: number) => [n, n + 1]);
      const filter = p.stage("filter", (n: number) => (n % 10 === 0 ? n : undefined));
      const batch = p.stage("batch", async (items: { n: number; by: string }[]) => {
        await sleep(1);
        return items.filter((item) => item.n % 5 !== 0).flatMap((item) => (item.n % 7 === 0 ? [item, item] : [item]));
      }, { batch: { size: 16, withinMs: 20 } });
      const words1 = p.stage("words1", (text: string) => (text === "null" ? null : { text, length: text.length }));
      const tell = (sink: string) => (item: unknown) => note([sink, item]);
      const out = p.sink("out", tell("out"));
      const rest = p.sink("rest", tell("rest"));

      numbers.to(even, { when: (n) => n % 2 === 0 }).to(batch);
      numbers.to(odd, { when: (n) => n % 2 === 1 }).to(batch);
      numbers.to(copies, { when: (n) => n >= 500 && n < 560 }).to(out);
      numbers.to(slowCopies, { when: (n) => n < 20 }).to(out);
      numbers.to(pairs, { when: (n) => n > 590 }).to(out);
      numbers.to(list, { when: (n) => n === 77 || n === 78 }).to(rest);
      numbers.to(filter).to(rest);
      silent.to(filter);
      batch.to(out, { when: (item) => item.n >= 300 });
      words.to(words1);
      words1.to(out, { when: isWord });
      words1.to(rest, { when: (x) => x === null });
      words.to(rest, { when: (word) => word === "" });
      export default p;
    `,
    });
    const { code, json, stderr } = await project.run("graph.ts");
    expect(stderr).not.toMatch(/warn|error/);
    expect(code).toBe(0);
    expect(json.status).toBe("completed");

    const all = Array.from({ length: 600 }, (_, n) => n);
    const of = (sink: string, items: unknown[]) => items.map((item) => [sink, item]);
    const batched = all
      .filter((n) => n % 5 !== 0)
      .flatMap((n) => Array(n % 7 === 0 ? 2 : 1).fill(n) as number[]);
    const expected = [
      ...of(
        "out",
        batched.filter((n) => n >= 300).map((n) => ({ n, by: n % 2 === 0 ? "even" : "odd" })),
      ),
      ...of(
        "out",
        all.slice(500, 560).flatMap((n) => Array.from({ length: n % 3 }, (_, i) => ({ n, by: `copy${i}` }))),
      ),
      ...of(
        "out",
        all.slice(0, 20).flatMap((n) => [
          { n, by: "slow0" },
          { n, by: "slow1" },
        ]),
      ),
      ...of(
        "out",
        all.slice(591).flatMap((n) => [
          { n, by: "pair" },
          { n: -n, by: "pair" },
        ]),
      ),
      ...of("rest", [
        [77, 78],
        [78, 79],
      ]),
      ...of(
        "rest",
        all.filter((n) => n % 10 === 0),
      ),
      ...of(
        "out",
        ["", "b", "", "cc"].map((text) => ({ text, length: text.length })),
      ),
      ...of("rest", [null, "", ""]),
    ];
    expect(sorted(project.notes())).toEqual(sorted(expected));

    // The law, and every count of it.
    expect(unsettled(json)).toEqual({});
    const filteredCopies = all.slice(500, 560).filter((n) => n % 3 === 0).length;
    const emittedCopies = all.slice(500, 560).reduce((sum, n) => sum + (n % 3), 0);
    expect(countsOf(json)).toMatchObject({
      numbers: { emitted: 600 },
      words: { emitted: 5 },
      silent: {},
      even: { accepted: 300, completed: 300, emitted: 300 },
      odd: { accepted: 300, completed: 300, emitted: 300 },
      copies: {
        accepted: 60,
        completed: 60 - filteredCopies,
        filtered: filteredCopies,
        emitted: emittedCopies,
      },
      "slow-copies": { accepted: 20, completed: 20, emitted: 40 },
      pairs: { accepted: 9, completed: 9, emitted: 18 },
      list: { accepted: 2, completed: 2, emitted: 2 },
      filter: { accepted: 600, completed: 60, filtered: 540, emitted: 60 },
      batch: { accepted: 600, emitted: batched.length },
      words1: { accepted: 5, completed: 5, emitted: 5 },
      out: { accepted: expected.filter(([sink]) => sink === "out").length },
      rest: { accepted: expected.filter(([sink]) => sink === "rest").length },
    });
    for (const { dead, discarded, quarantined } of Object.values(json.stages))
      expect([dead, discarded, quarantined]).toEqual([0, 0, 0]);
    expect(json.repeats).toEqual({});
  },
);

test("a self-loop, and two cycles that share a stage, run dry and complete", LIMIT, async () => {
  const project = cliProject({
    "cycles.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      type Walk = { id: number; left: number; path: string };
      const p = pipeline("cycles");
      const feed = p.source("feed", function* () { for (let id = 0; id < 90; id++) yield { id, left: id % 9, path: "" }; });
      const step = (name: string) => (walk: Walk) => ({ ...walk, left: walk.left - 1, path: walk.path + name });
      const hub = p.stage("hub", (walk: Walk) => ({ ...walk, path: walk.path + "h" }));
      const left = p.stage("left", step("l"));
      const right = p.stage("right", step("r"), { batch: { size: 5, withinMs: 10 } } as never);
      const loop = p.stage("loop", (walk: Walk) => ({ ...walk, path: walk.path + "o" }));
      const out = p.sink("out", (walk: Walk) => note([walk.id, walk.path]));
      feed.to(hub);
      hub.to(left, { when: (walk) => walk.left > 0 && walk.left % 2 === 0 }).to(hub);
      hub.to(right as never, { when: (walk: Walk) => walk.left > 0 && walk.left % 2 === 1 });
      (right as typeof left).to(hub);
      hub.to(loop, { when: (walk) => walk.left <= 0 });
      loop.to(loop, { when: (walk) => walk.path.length % 5 !== 0 });
      loop.to(out, { when: (walk) => walk.path.length % 5 === 0 });
      export default p;
    `
      .replace('step("r"), {', '(walks: Walk[]) => walks.map(step("r")), {')
      .replaceAll(" as never", ""),
  });
  const { code, json } = await project.run("cycles.ts", ["--streams", "memory:"]);
  expect(code).toBe(0);
  const expected = Array.from({ length: 90 }, (_, id) => {
    let path = "h";
    for (let left = id % 9; left > 0; left--) path += `${left % 2 === 0 ? "l" : "r"}h`;
    do path += "o";
    while (path.length % 5 !== 0);
    return [id, path];
  });
  expect(sorted(project.notes())).toEqual(sorted(expected));
  expect(unsettled(json)).toEqual({});
  const visits = (letter: string) =>
    expected.reduce((sum, [, path]) => sum + [...(path as string)].filter((c) => c === letter).length, 0);
  expect(countsOf(json)).toEqual({
    feed: { emitted: 90 },
    hub: { accepted: visits("h"), completed: visits("h"), emitted: visits("h") },
    left: { accepted: visits("l"), completed: visits("l"), emitted: visits("l") },
    right: { accepted: visits("r"), completed: visits("r"), emitted: visits("r") },
    loop: { accepted: visits("o"), completed: visits("o"), emitted: visits("o") },
    out: { accepted: 90, completed: 90 },
  });
});

test("every kind of item arrives as it was when it was given", LIMIT, async () => {
  const project = cliProject({
    "kinds.ts": `
      import { deepStrictEqual } from "node:assert";
      import { many, pipeline } from "millrace";
      import { note } from "./note.ts";
      const kinds = (): [string, unknown][] => [
        ["date", new Date(1_700_000_000_123)], ["map", new Map<unknown, unknown>([["a", 1], [2, new Map([["x", null]])]])],
        ["set", new Set(["a", 2, null])], ["bigint", 12345678901234567890n], ["huge", -(2n ** 200n)], ["bytes", new Uint8Array([0, 255, 1])],
        ["floats", new Float64Array([1.5, -0, Number.MAX_VALUE])], ["shorts", new Int16Array([-32768, 32767])], ["u32", new Uint32Array([4294967295])],
        ["buffer", new Uint8Array([1, 2, 3]).buffer], ["nan", Number.NaN], ["infinity", -Infinity], ["float", 0.1], ["big", 2 ** 53],
        ["text", "\\u0000\\ud83d\\ude00 ünï"], ["empty", ""], ["null", null], ["false", false], ["undefined in it", { a: undefined, b: [undefined, 1] }],
        ["nested", { list: [[], [{}], { "": { deep: [new Date(0)] } }], "key with space": 1, constructor: 2 }],
        ["regexp", /a+b/gi], ["error", { name: "RangeError", message: "no" }], ["long", "x".repeat(100_000)], ["array", [1, "two", null]],
      ];
      const p = pipeline("kinds");
      const feed = p.source("feed", function* () { for (const kind of kinds()) yield kind; });
      const pass = p.stage("pass", (kind: [string, unknown]) => kind);
      const value = p.stage("value", (kind: [string, unknown]) => many([kind[1]]));
      const check = p.sink("check", ([name, item]: [string, unknown]) => {
        const want = kinds().find(([known]) => known === name)?.[1];
        try {
          deepStrictEqual(item, want);
          note([name, "as it was"]);
        } catch (error) { note([name, String(error)]); }
      });
      const count = p.sink("count", () => note("value"));
      feed.to(pass).to(check);
      pass.to(value).to(count);

      // One object, changed after each time it was given away.
      const changing = p.source("changing", async function* () {
        const item = { step: 0, list: [0], bytes: new Uint8Array(2) };
        for (item.step = 0; item.step < 5; item.step++) { item.list[0] = item.step; item.bytes[0] = item.step; yield item; }
        item.step = 99;
      });
      const later = p.stage("later", (item: { step: number; list: number[]; bytes: Uint8Array }) => {
        setTimeout(() => { item.step = -1; item.list.push(-1); item.bytes[1] = 9; }, 0);
        return item;
      });
      const several = p.stage("several", function* (item: { step: number; list: number[]; bytes: Uint8Array }) {
        for (let i = 0; i < 3; i++) { item.list[1] = i; item.bytes[1] = i; yield item; }
        item.step = -1;
      });
      const kept = p.sink("kept", (item: { step: number; list: number[]; bytes: Uint8Array }) => {
        note(["kept", item.step, item.list, [...item.bytes]]);
      });
      changing.to(later).to(several).to(kept);
      export default p;
    `,
  });
  const { code, json } = await project.run("kinds.ts", ["--streams", "memory:"]);
  const notes = project.notes<[string, ...unknown[]] | string>();
  const checked = notes.filter((note) => Array.isArray(note) && note[0] !== "kept");
  expect(checked.filter((note) => note[1] !== "as it was")).toEqual([]);
  expect(checked).toHaveLength(24);
  expect(notes.filter((note) => note === "value")).toHaveLength(24);
  const kept = notes.filter((note) => Array.isArray(note) && note[0] === "kept");
  const expected = [0, 1, 2, 3, 4].flatMap((step) =>
    [0, 1, 2].map((i) => ["kept", step, [step, i], [step, i]]),
  );
  expect(sorted(kept)).toEqual(sorted(expected));
  expect(code).toBe(0);
  expect(unsettled(json)).toEqual({});
});

test("batches: by size, by time, by key; a failed item of a batch fails alone", LIMIT, async () => {
  const project = cliProject({
    "batches.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("batches");
      const retry = { attempts: 2, backoff: { initialMs: 5, jitter: "none" } } as const;
      const feed = p.source("feed", async function* () {
        for (let n = 0; n < 50; n++) yield n;
        // No more for longer than \`withinMs\`: the part batch has to go without waiting for the end.
        await sleep(700);
        note(["source ends", Date.now()]);
      });
      const part = p.stage("part", (items: number[]) => { note(["part", items.length, Date.now()]); return items; }, { batch: { size: 20, withinMs: 60 } });
      const keyed = p.stage("keyed", function* (items: number[]) { note(["keyed", items.map((n) => n % 3)]); yield* items; }, { batch: { size: 8, withinMs: 20, by: (n) => n % 3 } });
      const bad = p.stage("bad", async (items: number[], ctx) => {
        await sleep(1);
        note(["attempt", ctx.items.map((info) => info.attempt)]);
        for (const [i, n] of items.entries()) {
          if (n === 13 || (n === 14 && ctx.items[i]?.attempt === 1)) ctx.fail(n, new Error("item " + n));
          if (n === 15) ctx.failAt(i, new TypeError("place of " + n));
        }
        return items.filter((n) => n < 13 || n > 15 || (n === 14 && ctx.items.length === 1));
      }, { batch: { size: 10, withinMs: 20 }, retry });
      const whole = p.stage("whole", (items: number[]) => {
        if (items.includes(33)) throw new Error("with 33");
        return items;
      }, { batch: { size: 10, withinMs: 20 }, retry });
      const wrong = p.stage("wrong", (items: number[]) => (items.includes(7) ? ("no list" as never) : []), { batch: { size: 10, withinMs: 20 }, retry });
      const out = p.sink("out", (items: number[]) => { for (const n of items) note(["out", n]); }, { batch: { size: 100, withinMs: 20 } });
      feed.to(part); feed.to(keyed); feed.to(bad); feed.to(whole); feed.to(wrong).to(out);
      for (const stage of [part, keyed, bad, whole]) stage.to(out);
      export default p;
    `,
  });
  const { code, json } = await project.run("batches.ts");
  const notes = project.notes<[string, ...unknown[]]>();
  const of = (name: string) => notes.filter(([kind]) => kind === name);
  expect(code).toBe(8);
  expect(unsettled(json)).toEqual({});

  const parts = of("part").map(([, size, at]) => [size, at] as [number, number]);
  expect(Math.max(...parts.map(([size]) => size))).toBeLessThanOrEqual(20);
  expect(parts.reduce((sum, [size]) => sum + size, 0)).toBe(50);
  const [[, end]] = of("source ends") as [[string, number]];
  expect(Math.max(...parts.map(([, at]) => at))).toBeLessThan(end);
  for (const [, keys] of of("keyed")) expect(new Set(keys as number[]).size).toBe(1);

  const all = Array.from({ length: 50 }, (_, n) => n);
  const expected = [
    ...all,
    ...all,
    ...all.filter((n) => n !== 13 && n !== 15),
    ...all.filter((n) => n !== 33),
  ];
  expect(
    of("out")
      .map(([, n]) => n)
      .sort(byNumber),
  ).toEqual(expected.sort(byNumber));
  expect(json.stages.bad).toMatchObject({ accepted: 50, dead: 2, completed: 48, filtered: 0 });
  expect(json.stages.whole).toMatchObject({ accepted: 50, dead: 1, completed: 49 });
  expect(json.stages.wrong).toMatchObject({ accepted: 50, dead: 1, filtered: 49, emitted: 0 });
  const dead = await project.deadLetters("batches");
  expect(
    dead.map(({ stage, item, reason, attempts }) => [
      stage,
      item,
      reason,
      attempts.map(({ error }) => `${error.name}: ${error.message}`),
    ]),
  ).toEqual(
    expect.arrayContaining([
      ["bad", 13, "error", ["Error: item 13", "Error: item 13"]],
      ["bad", 15, "error", ["TypeError: place of 15", "TypeError: place of 15"]],
      ["whole", 33, "error", ["Error: with 33", "Error: with 33"]],
    ]),
  );
  expect(dead).toHaveLength(4);
});

test(
  "a source that never ends is stopped by SIGINT: what it gave is kept or settled, and it can say goodbye",
  LIMIT,
  async () => {
    const project = cliProject({
      "endless.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("endless");
      const ticks = p.source("ticks", async function* () {
        try { for (let n = 0; ; n++) { yield n; await sleep(1); } } finally { note("goodbye", "source"); }
      });
      const flood = p.source("flood", function* (ctx) { for (let n = 1; ; n++) yield -n; });
      const waits = p.source("waits", async function* (ctx) {
        yield 0.5;
        note("waits", "began");
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        note("told", "source");
      });
      const slow = p.stage("slow", async (n: number) => { await sleep(n < 0 ? 3 : 0); return n; }, { concurrency: 4 });
      ticks.to(slow); flood.to(slow); waits.to(slow);
      slow.to(p.sink("out", (n: number) => note(n)));
      export default p;
    `,
    });
    const running = project.start("endless.ts", ["--streams", "memory:"]);
    await running.until(() => project.notes().length > 50 && project.notes("began").length === 1);
    running.signal("SIGINT");
    const { code, json } = await running.ended;
    expect(code).toBe(130);
    expect(json.status).toBe("stopped");
    expect(project.notes<string>("source").sort()).toEqual(["goodbye", "told"]);
    const { slow, out, ticks, flood, waits } = json.stages as Record<string, (typeof json.stages)[string]>;
    const given = (ticks?.emitted ?? 0) + (flood?.emitted ?? 0) + (waits?.emitted ?? 0);
    expect(slow?.accepted).toBe(given);
    expect(out?.accepted).toBe(slow?.completed);
    expect(project.notes()).toHaveLength(out?.completed ?? -1);
    expect(new Set(project.notes()).size).toBe(out?.completed);
  },
);

function byNumber(a: unknown, b: unknown): number {
  return Number(a) - Number(b);
}

function sorted(values: readonly unknown[]): string[] {
  return values.map((value) => JSON.stringify(value)).sort();
}
