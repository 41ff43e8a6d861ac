import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 90_000 };

test(
  "a stage whose service is down is paused and loses nothing; when a probe succeeds it goes on: over two instances, singly and in batches",
  LIMIT,
  async () => {
    const project = cliProject({
      "outage.ts": `
      import { existsSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("outage");
      const feed = p.source("feed", function* () { for (let n = 0; n < 2_000; n++) yield n; });
      const options = { retry: { attempts: 2, backoff: { initialMs: 1, maxMs: 5 } }, breaker: { share: 0.9, after: 100 } };
      const call = (n: number, name: string) => {
        note(n, name + "-calls");
        if (!existsSync("up")) throw new Error("connection refused");
        return { n, name };
      };
      const out = p.sink("out", ({ n, name }: { n: number; name: string }) => note(n, name));
      feed.to(p.stage("sync", (n: number) => call(n, "sync"), options)).to(out);
      feed.to(p.stage("async", async (n: number) => { await sleep(1); return call(n, "async"); },
        { ...options, concurrency: 4, instances: 2 })).to(out);
      feed.to(p.stage("batch", (all: number[]) => { if (!existsSync("up")) throw new Error("down"); return all.map((n) => ({ n, name: "batch" })); },
        { ...options, batch: { size: 7, withinMs: 20 } })).to(out);
      export default p;
    `,
    });
    const running = project.start("outage.ts");
    const paused = (stderr: string): number =>
      [...stderr.matchAll(/paused: \d+ of the last \d+ items failed/g)].length;
    await running.until((stderr) => paused(stderr) === 3);
    // Probes go on calling, one at a time, and use up nothing.
    const calls = project.notes("sync-calls").length;
    await running.until(() => project.notes("sync-calls").length > calls);
    const deadMeanwhile = (await project.deadLetters("outage")).length;
    await running.until(() => project.notes("sync-calls").length > calls + 1);
    project.write("up", "");
    const { code, json, stderr } = await running.ended;

    expect([...stderr.matchAll(/goes on: a call succeeded after \d+ s/g)]).toHaveLength(3);
    expect(unsettled(json)).toEqual({});
    const all = Array.from({ length: 2_000 }, (_, n) => n);
    let dead = 0;
    for (const name of ["sync", "async", "batch"]) {
      const letters = await project.deadLetters(`outage/${name}`);
      dead += letters.length;
      // What failed for good before the instances heard of the breaker: a moment's worth.
      expect(letters.length).toBeLessThan(500);
      const good = [...new Set(project.notes<number>(name))];
      expect(
        [...good, ...letters.map(({ item }) => item as unknown as number)].sort((a, b) => a - b),
      ).toEqual(all);
    }
    expect(dead).toBe(deadMeanwhile);
    expect(code).toBe(dead === 0 ? 0 : 8);
  },
);

test("a paused stage can be stopped, and is resumed; RetryLater pauses nothing", LIMIT, async () => {
  const project = cliProject({
    "outage.ts": `
      import { existsSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline, RetryLater } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("outage");
      const feed = p.source("feed", async function* (ctx) {
        for (let n = (ctx.resume as number | undefined) ?? 0; n < 1_500; n++) { yield n; ctx.checkpoint(n + 1); }
      });
      const breaker = { share: 0.5, after: 50 };
      feed.to(p.sink("out", async (all: number[]) => {
        await sleep(1);
        if (!existsSync("up")) throw new Error("connection refused");
        for (const n of all) note(n, "out");
      }, { concurrency: 4, breaker, batch: { size: 5, withinMs: 5 } }));
      feed.to(p.sink("later", (n: number, ctx) => {
        if (ctx.item.attempt === 1) throw new RetryLater(200);
        note(n, "later");
      }, { breaker }));
      export default p;
    `,
  });
  const running = project.start("outage.ts");
  await running.until((stderr) => /out.*paused:/.test(stderr) && project.notes("later").length === 1_500);
  running.signal("SIGINT");
  const stopped = await running.ended;
  expect(stopped.code).toBe(130);
  expect(stopped.stderr).not.toMatch(/later.*paused:/);
  expect(stopped.durationMs).toBeLessThan(30_000);

  project.write("up", "");
  const { code, json } = await project.run("outage.ts");
  expect(code).toBe(0);
  expect(unsettled(json)).toEqual({});
  expect([...project.notes<number>("out")].sort((a, b) => a - b)).toEqual(
    Array.from({ length: 1_500 }, (_, n) => n),
  );
});
