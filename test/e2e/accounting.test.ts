import { expect, test } from "vitest";
import { cliProject, countsOf, unsettled } from "../support/cli-project.ts";

const PIPELINE = (callMs: number) => `
  import { setTimeout as sleep } from "node:timers/promises";
  import { pipeline, RetryLater, TerminalError } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("books");
  const feed = p.source("feed", function* () { for (let n = 0; n < 300; n++) yield n; });
  const call = (stage: string, n: number, attempt: number) => note([stage, n, attempt], "calls");
  const work = p.stage("work", async function* (n: number, ctx) {
    call("work", n, ctx.item.attempt);
    await sleep(${callMs});
    if (n % 10 === 1 && ctx.item.attempt === 1) throw new RetryLater(n % 20 === 1 ? 1 : 3_000);
    if (n % 10 === 2) throw new TerminalError("no");
    if (n % 10 === 3) return;
    yield n;
    if (n % 10 === 4) yield n + 1_000;
  }, { concurrency: 4 });
  const pack = p.stage("pack", async (items: number[], ctx) => {
    items.forEach((n, i) => call("pack", n, ctx.items[i]?.attempt ?? 0));
    await sleep(${callMs});
    return items.filter((n) => n % 10 !== 5);
  }, { batch: { size: 7, withinMs: 30 } });
  feed.to(work).to(pack);
  pack.to(p.sink("even", async (n: number, ctx) => { call("even", n, ctx.item.attempt); await sleep(${callMs}); }), { when: (n) => n % 2 === 0 });
  pack.to(p.sink("odd", (n: number, ctx) => { call("odd", n, ctx.item.attempt); }), { when: (n) => n % 2 === 1 });
  export default p;
`;

test("stopped midway, what was accepted is settled or kept; what is kept is what the next life works off, to the item", {
  timeout: 150_000,
}, async () => {
  const project = cliProject({ "books.ts": PIPELINE(5) });
  const calls = () => project.notes<[string, number, number]>("calls");
  const running = project.start("books.ts");
  await running.until(() => calls().filter(([stage]) => stage === "pack").length > 40);
  running.signal("SIGINT");
  const stopped = await running.ended;
  expect(stopped.code).toBe(130);
  const before = calls();
  const kept = unsettled(stopped.json);
  expect(kept.work).toBeGreaterThan(50);
  expect(countsOf(stopped.json)).toMatchObject({ feed: { emitted: 300 }, work: { accepted: 300 } });
  const { work, pack, even, odd } = stopped.json.stages as Record<
    string,
    (typeof stopped.json.stages)[string]
  >;
  const firsts = (stage: string, of = before) =>
    of.filter(([name, , attempt]) => name === stage && attempt === 1).length;
  // Nothing was in hand when it stopped: every call that began has its outcome in the books.
  expect((work?.completed ?? 0) + (work?.filtered ?? 0) + (work?.dead ?? 0)).toBeLessThanOrEqual(
    firsts("work"),
  );
  expect(work?.emitted).toBe(pack?.accepted);
  expect(pack?.completed).toBe(firsts("pack"));
  expect(pack?.emitted).toBe((even?.accepted ?? 0) + (odd?.accepted ?? 0));
  expect([even?.completed, odd?.completed]).toEqual([firsts("even"), firsts("odd")]);

  project.write("books.ts", PIPELINE(0));
  const { code, json } = await project.run("books.ts");
  const after = calls().slice(before.length);
  expect(code).toBe(8);
  expect(unsettled(json)).toEqual({});
  expect(json.repeats).toEqual({});
  // Kept in `work` are the items that were not called yet, and those whose retry was waiting.
  const waiting =
    before.filter(([stage, n, attempt]) => stage === "work" && attempt === 1 && n % 10 === 1).length -
    before.filter(([stage, , attempt]) => stage === "work" && attempt === 2).length;
  expect(firsts("work", after) + waiting).toBe(kept.work);
  expect(firsts("work") + firsts("work", after)).toBe(300);
  expect(countsOf(json)).toEqual({
    feed: { emitted: 300 },
    work: { accepted: 300, completed: 240, filtered: 30, dead: 30, emitted: 270 },
    pack: { accepted: 270, completed: 270, emitted: 240 },
    even: { accepted: 150, completed: 150 },
    odd: { accepted: 90, completed: 90 },
  });
  // Each item once a stage, whatever the number of lives.
  for (const stage of ["pack", "even", "odd"]) {
    const seen = calls()
      .filter(([name]) => name === stage)
      .map(([, n]) => n);
    expect(new Set(seen).size).toBe(seen.length);
  }
  const letters = await project.deadLetters("books");
  expect(letters.map(({ item }) => item as number).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 30 }, (_, i) => 10 * i + 2),
  );
});
