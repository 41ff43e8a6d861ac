import { expect, test } from "vitest";
import { cliProject, countsOf, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 40_000 };

test("a stage's calls follow one another in one process, which is its own", LIMIT, async () => {
  const project = cliProject({
    "cycle.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("cycle");
      const tell = (stage: string) => (n: number) => { note([stage, process.pid, performance.now()]); return n; };
      const feed = p.source("feed", function* () { for (let n = 0; n < 500; n++) yield n; });
      feed.to(p.stage("a", tell("a"), { instances: 1 })).to(p.stage("b", tell("b"), { instances: 1 })).to(p.sink("c", tell("c"), { instances: 1 }));
      export default p;
    `,
  });
  expect((await project.run("cycle.ts")).code).toBe(0);

  const notes = project.notes<[string, number, number]>();
  expect(notes).toHaveLength(1_500);
  const processes = new Map(notes.map(([stage, pid]) => [`${stage} ${pid}`, pid]));
  expect(processes.size).toBe(3);
  expect(new Set(processes.values()).size).toBe(3);
  // No pause between one call and the next: five hundred of them take less than a wait of a fiftieth of a second each.
  const times = notes.filter(([stage]) => stage === "b").map(([, , at]) => at);
  expect(Math.max(...times) - Math.min(...times)).toBeLessThan(10_000);
});

test(
  "a batch holds its items in their order, and what it gives back flows on in that order",
  LIMIT,
  async () => {
    const project = cliProject({
      "order.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("order");
      const feed = p.source("feed", function* () { for (let n = 0; n < 200; n++) yield n; });
      const pack = p.stage("pack", (items: number[], ctx) => {
        note([items, ctx.items.map((info) => info.id)]);
        return items.map((n) => ({ n, id: ctx.items[items.indexOf(n)]?.id }));
      }, { instances: 1, batch: { size: 7, withinMs: 50 } });
      feed.to(pack).to(p.sink("out", ({ n, id }) => note([n, id], "out"), { instances: 1 }));
      export default p;
    `,
    });
    expect((await project.run("order.ts")).code).toBe(0);

    const batches = project.notes<[number[], string[]]>();
    for (const [items] of batches) {
      expect(items.length).toBeLessThanOrEqual(7);
      expect(items).toEqual([...items].sort((a, b) => a - b));
    }
    expect(batches.some(([items]) => items.length === 7)).toBe(true);
    const given = batches.flatMap(([items, ids]) => items.map((n, place) => [n, ids[place]]));
    expect(given.map(([n]) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(new Set(given.map(([, id]) => id)).size).toBe(200);
    expect(project.notes("out")).toEqual(given);
  },
);

test("a part batch goes when nothing comes any more, and nothing at all is no error", LIMIT, async () => {
  const project = cliProject({
    "part.ts": `
      import { existsSync } from "node:fs";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("part");
      // Goes on only when the part batch was called: without that, it would wait for ever.
      const feed = p.source("feed", async function* () {
        yield* [1, 2, 3];
        while (!existsSync("notes.jsonl")) await new Promise((done) => setTimeout(done, 10));
      });
      const silent = p.source("silent", () => [] as number[]);
      const never = p.sink("never", () => note("never", "never"), { batch: { size: 5, withinMs: 10 } });
      feed.to(p.sink("out", (items: number[]) => note(items), { batch: { size: 1_000, withinMs: 30 } }));
      silent.to(never);
      export default p;
    `,
  });
  const { code, json } = await project.run("part.ts");
  expect(code).toBe(0);
  expect(project.notes<number[]>().flat().sort()).toEqual([1, 2, 3]);
  expect(project.notes("never")).toEqual([]);
  expect(countsOf(json).never).toEqual({});
});

test("a call that fails is no end: what waits for its next attempt keeps the run open", LIMIT, async () => {
  const project = cliProject({
    "again.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("again");
      const feed = p.source("feed", () => [1, 2, 3, 4, 5]);
      const work = p.stage("work", (n: number, ctx) => {
        if (ctx.item.attempt === 1) throw new Error("not yet");
        return n;
      }, { retry: { attempts: 2, backoff: { initialMs: 2_500, jitter: "none" } } });
      feed.to(work).to(p.sink("out", (n: number) => note(n)));
      export default p;
    `,
  });
  const { code, json, durationMs } = await project.run("again.ts");
  expect(code).toBe(0);
  expect(durationMs).toBeGreaterThan(2_500);
  expect(project.notes<number>().sort()).toEqual([1, 2, 3, 4, 5]);
  expect(json.stages.work).toMatchObject({ accepted: 5, completed: 5, dead: 0 });
});

test(
  "what is empty is an item like any other: it reaches every function, alone and in a batch",
  LIMIT,
  async () => {
    const project = cliProject({
      "empty.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("empty");
      const empty: unknown[] = ["", null, 0, false, {}, [], Buffer.alloc(0), new Map(), new Set()];
      const kindOf = (item: unknown) => (item === null ? "null" : typeof item === "object" ? item.constructor.name : JSON.stringify(item));
      const feed = p.source("feed", () => empty);
      const pass = p.stage("pass", (item: unknown) => item);
      const batch = p.stage("batch", (items: unknown[]) => items, { batch: { size: 4, withinMs: 20 } });
      feed.to(pass).to(batch).to(p.sink("out", (item: unknown) => note(kindOf(item))));
      export default p;
    `,
    });
    const { code, json } = await project.run("empty.ts");
    expect(code).toBe(0);
    const kinds = ['""', "null", "0", "false", "Object", "Array", "Uint8Array", "Map", "Set"];
    const seen = project.notes<string>().map((kind) => (kind === "Buffer" ? "Uint8Array" : kind));
    expect(seen.sort()).toEqual(kinds.sort());
    expect(json.stages.pass).toMatchObject({ accepted: 9, completed: 9, filtered: 0 });
    expect(unsettled(json)).toEqual({});
  },
);

test("the same file does the same over each engine", LIMIT, async () => {
  const module = `
    import { many, pipeline } from "millrace";
    import { note } from "./note.ts";
    const p = pipeline("same");
    const feed = p.source("feed", function* () { for (let n = 0; n < 300; n++) yield n; });
    const grow = p.stage("grow", (n: number) => many([n, n + 0.5]), { retry: { attempts: 2, backoff: { initialMs: 1 } } });
    const fail = p.stage("fail", (n: number) => { if (n % 50 === 0) throw new Error("no " + n); return n; }, { retry: { attempts: 2, backoff: { initialMs: 1 } } });
    feed.to(grow).to(fail).to(p.sink("out", (items: number[]) => note(items), { batch: { size: 20, withinMs: 10 } }));
    export default p;
  `;
  const outcome = async (streams: string) => {
    const project = cliProject({ "same.ts": module });
    const { code, json } = await project.run("same.ts", ["--streams", streams]);
    return {
      code,
      counts: countsOf(json),
      items: project
        .notes<number[]>()
        .flat()
        .sort((a, b) => a - b),
    };
  };
  const onDisk = await outcome("file:");
  expect(onDisk.code).toBe(8);
  expect(onDisk.items).toHaveLength(594);
  expect(await outcome("memory:")).toEqual(onDisk);
});

test(
  "setup comes before the first item, teardown after the last, and each once an instance",
  LIMIT,
  async () => {
    const project = cliProject({
      "life.ts": `
      import { readFileSync } from "node:fs";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("life");
      const bothAreUp = () => readFileSync("notes.jsonl", "utf8").split('"work","setup"').length > 2;
      const phases = (stage: string) => ({
        setup: async () => { await new Promise((done) => setTimeout(done, 50)); note([stage, "setup", process.pid]); return { pid: process.pid }; },
        teardown: async ({ pid }: { pid: number }) => { await null; note([stage, "teardown", pid]); },
      });
      const feed = p.source("feed", { ...phases("feed"), async *run(ctx) {
        for (let n = 0; n < 100; n++) {
          yield n;
          while (n === 50 && !bothAreUp()) await new Promise((done) => setTimeout(done, 10));
        }
        note(["feed", "end", ctx.state.pid]);
      } });
      const work = p.stage("work", { ...phases("work"), run: (n: number, ctx) => { note(["work", "item", ctx.state.pid]); return n; } }, { instances: 2 });
      const out = p.sink("out", { ...phases("out"), run: (n: number, ctx) => note(["out", "item", ctx.state.pid]) });
      feed.to(work).to(out);
      export default p;
    `,
    });
    expect((await project.run("life.ts")).code).toBe(0);

    const notes = project.notes<[string, string, number]>();
    const lives = groups(notes);
    expect([...lives.keys()].map((name) => name.split(" ")[0]).sort()).toEqual([
      "feed",
      "out",
      "work",
      "work",
    ]);
    for (const [name, phases] of lives) {
      expect([name, phases[0], phases.at(-1)]).toEqual([name, "setup", "teardown"]);
      expect(phases.slice(1, -1)).not.toContain("setup");
      expect(phases.slice(1, -1)).not.toContain("teardown");
    }
  },
);

/** What each process noted, in order. */
function groups(notes: readonly [stage: string, phase: string, pid: number][]): Map<string, string[]> {
  const lives = new Map<string, string[]>();
  for (const [stage, phase, pid] of notes) {
    const name = `${stage} ${pid}`;
    lives.set(name, [...(lives.get(name) ?? []), phase]);
  }
  return lives;
}
