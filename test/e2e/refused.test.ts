import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

test("an edge from a source that throws fails the item for the stage it leads to; a replay puts it there", async () => {
  const project = cliProject({
    "refused.ts": `
      import { pipeline } from "millrace"; import { note } from "./note.ts";
      const p = pipeline("refused");
      const feed = p.source("feed", function* () { for (let n = 0; n < 40; n++) yield n; });
      const bad = (n: number, at: number) => { if (n === at) throw new TypeError("no " + at); return n; };
      feed.to(p.sink("plain", (n: number) => note(n, "plain")));
      feed.to(p.sink("routed", (n: number) => note(n, "routed"), {
        onFailed: (n, error) => note([n, error.message], "told"),
      }), { when: (n) => n === 8 ? (Promise.resolve(true) as never) : bad(n, 7) % 2 === 1 });
      feed.to(p.sink("ordered", (n: number, ctx) => note([n, ctx.item.key ?? null], "ordered"), {
        orderBy: (n) => n === 12 ? (5 as never) : "k" + (bad(n, 11) % 3), partitions: 4,
      }));
      feed.to(p.sink("urgent", (n: number) => note(n, "urgent"), { priority: (n) => bad(n, 21) % 5 === 0 ? "high" : "low" }));
      feed.to(p.sink("once", (n: number) => note(n, "once"), { dedupe: { by: (n) => String(bad(n, 31)), windowMs: 60_000 } }));
      feed.to(p.sink("batched", (ns: number[]) => { for (const n of ns) note(n, "batched"); }, { batch: { size: 5, withinMs: 20 } }), { when: (n) => bad(n, 35) >= 0 });
      export default p;
    `,
  });
  const { code, json } = await project.run("refused.ts");
  expect(code).toBe(8);
  expect(unsettled(json)).toEqual({});
  expect(json).toMatchObject({
    status: "completed",
    deadLetters: 7,
    stages: {
      feed: { emitted: 40, dead: 0 },
      plain: { accepted: 40, completed: 40, dead: 0 },
      routed: { accepted: 21, completed: 19, dead: 2 },
      ordered: { accepted: 40, completed: 38, dead: 2 },
      urgent: { accepted: 40, completed: 39, dead: 1 },
      once: { accepted: 40, completed: 39, dead: 1 },
      batched: { accepted: 40, completed: 39, dead: 1 },
    },
  });
  const letters = await project.deadLetters("refused");
  expect(
    letters
      .map(({ stage, item, reason, attempts }) => [
        stage,
        item,
        reason,
        attempts.length,
        attempts[0]?.error.name,
      ])
      .sort((a, b) => Number(a[1]) - Number(b[1])),
  ).toEqual([
    ["routed", 7, "error", 1, "TypeError"],
    ["routed", 8, "error", 1, "StageError"],
    ["ordered", 11, "error", 1, "TypeError"],
    ["ordered", 12, "error", 1, "StageError"],
    ["urgent", 21, "error", 1, "TypeError"],
    ["once", 31, "error", 1, "TypeError"],
    ["batched", 35, "error", 1, "TypeError"],
  ]);
  expect(letters.find(({ item }) => item === 7)?.attempts[0]?.error).toMatchObject({
    message: "no 7",
    stack: expect.stringContaining("refused.ts"),
  });
  expect(project.notes<[number, string]>("told").map(([n]) => n)).toEqual([7, 8]);

  const replay = await project.millrace(["dead", "replay", "refused", "--all", "--data", project.data]);
  expect(replay).toMatchObject({ code: 0, stderr: expect.stringContaining("7 dead letters put back") });
  const all = Array.from({ length: 40 }, (_, n) => n);
  for (const name of ["plain", "urgent", "once", "batched"])
    expect(project.notes<number>(name).sort((a, b) => a - b)).toEqual(all);
  expect(project.notes<number>("routed").slice(-2).sort()).toEqual([7, 8]);
  const ordered = project.notes<[number, string | null]>("ordered");
  expect(ordered.map(([n]) => n).sort((a, b) => a - b)).toEqual(all);
  for (const key of ["k0", "k1", "k2"]) {
    const seen = ordered.filter(([, of]) => of === key).map(([n]) => n);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  }
  expect(await project.deadLetters("refused")).toEqual([]);
});

test("an edge that throws for all that comes ends the run instead of making dead letters of it; a mended one goes on", async () => {
  const module = (when: string) => `
    import { pipeline } from "millrace"; import { note } from "./note.ts";
    const p = pipeline("always");
    const feed = p.source("feed", (ctx) => (function* () {
      for (let n = (ctx.resume as number | undefined) ?? 0; n < 1_000; n++) { yield n; ctx.checkpoint(n + 1); }
    })(), { retry: { attempts: 2, backoff: { initialMs: 5 } } });
    feed.to(p.sink("out", (n: number) => note(n)), { when: (n) => ${when} });
    export default p;
  `;
  const project = cliProject({ "always.ts": module("n.not.there") });
  const failed = await project.run("always.ts");
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain("Cannot read properties of undefined");
  const { deadLetters } = failed.json as { deadLetters: number };
  // At most a hundred in each of the source's two lives, as far as they were stored before it threw.
  expect(deadLetters).toBeLessThanOrEqual(200);

  project.write("always.ts", module("n >= 0"));
  const mended = await project.run("always.ts");
  expect(mended.code).toBe(deadLetters === 0 ? 0 : 8);
  if (deadLetters > 0) await project.millrace(["dead", "replay", "always", "--all", "--data", project.data]);
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
});
