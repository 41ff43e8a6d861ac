import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 90_000 };

const FAN_OUT = `
  import { existsSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("fan-out");
  const feed = p.source("feed", function* () { for (let n = 0; n < 600; n++) { note(n, "yielded"); yield n; } });
  const copy = p.stage("copy", (n: number) => n, { capacity: { items: 40 } });
  const quick = p.sink("quick", (n: number) => note(n, "quick"));
  const slow = p.sink("slow", async (n: number) => { while (!existsSync("go")) await sleep(5); note(n, "slow"); },
    { capacity: { items: 60 }, concurrency: 8 });
  feed.to(copy).to(quick);
  copy.to(slow);
  export default p;
`;

test(
  "a slow sink behind a fan-out holds back its source, stage by stage; a stop meanwhile ends, and a resume goes on",
  LIMIT,
  async () => {
    const project = cliProject({ "fan-out.ts": FAN_OUT });
    const first = project.start("fan-out.ts");
    // What is full stays so: nothing of it moves until somebody lets it.
    await first.until(() => project.notes("quick").length >= 60);
    await settledDown(() => project.notes("yielded").length + project.notes("quick").length);
    // Each limit, what may be on its way to it, and what the sink has in hand.
    expect(project.notes("quick").length).toBeLessThanOrEqual(60 + 15 + 8);
    expect(project.notes("yielded").length).toBeLessThanOrEqual(60 + 15 + 40 + 10 + 8);
    first.signal("SIGINT");
    await settledDown(() => project.notes("slow").length);
    project.write("go", "");
    const { code } = await first.ended;
    expect(code).toBe(130);

    const { code: second, json } = await project.run("fan-out.ts");
    expect(second).toBe(0);
    expect(unsettled(json)).toEqual({});
    const all = Array.from({ length: 600 }, (_, n) => n);
    expect([...new Set(project.notes<number>("slow"))].sort((a, b) => a - b)).toEqual(all);
    expect([...new Set(project.notes<number>("quick"))].sort((a, b) => a - b)).toEqual(all);
  },
);

/** Waits until a number has not changed for a while. */
async function settledDown(value: () => number): Promise<void> {
  for (let same = 0, last = -1; same < 10; same++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (value() !== last) same = 0;
    last = value();
  }
}

test("a cycle whose own items exceed its capacity goes on; only its entry waits", LIMIT, async () => {
  const project = cliProject({
    "cycle.ts": `
      import { many, pipeline } from "millrace";
      import { note } from "./note.ts";
      type Page = { depth: number; id: string };
      const p = pipeline("cycle");
      const feed = p.source("feed", function* () {
        for (let n = 0; n < 40; n++) { note(n, "fed"); yield { depth: 0, id: String(n) } as Page; }
      });
      const crawl = p.stage("crawl", (page: Page) => {
        note(page.id, "crawled");
        return many(Array.from({ length: page.depth < 4 ? 3 : 0 }, (_, i) => ({ depth: page.depth + 1, id: page.id + "-" + i })));
      }, { capacity: { items: 20 } });
      const extra = p.stage("extra", (page: Page) => page, { capacity: { items: 4 } });
      feed.to(crawl);
      crawl.to(crawl, { when: (page) => page.depth % 2 === 0 });
      crawl.to(extra, { when: (page) => page.depth % 2 === 1 }).to(crawl);
      crawl.to(p.sink("out", () => undefined), { when: (page) => page.depth === 4 });
      export default p;
    `,
  });
  const { code, json } = await project.run("cycle.ts");

  expect(code).toBe(0);
  expect(unsettled(json)).toEqual({});
  // 40 trees of 1 + 3 + 9 + 27 + 81.
  expect(project.notes("crawled")).toHaveLength(40 * 121);
  expect(json.stages.out?.accepted).toBe(40 * 81);
  expect(project.notes("fed")).toHaveLength(40);
});

test(
  "an item that waits for a full stage was not begun: the end of its process repeats nothing",
  LIMIT,
  async () => {
    const project = cliProject({
      "held.ts": `
      import { existsSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("held");
      p.source("feed", async function* () { for (let n = 0; n < 4; n++) { yield n; note(n, "yielded"); await sleep(250); } })
        .to(p.stage("pass", {
          setup: () => { note(process.pid, "pids"); },
          run: (n: number) => { note(n, "passed"); return n; },
        }, { instances: 1 }))
        .to(p.sink("slow", async (n: number) => { while (!existsSync("go")) await sleep(5); note(n, "slow"); },
          { instances: 1, capacity: { items: 1 } }));
      export default p;
    `,
    });
    const running = project.start("held.ts");
    await running.until(() => project.notes("yielded").length === 4);
    await settledDown(() => project.notes("passed").length);
    expect(project.notes("passed").length).toBeLessThan(4);
    process.kill(project.notes<number>("pids")[0] as number, "SIGABRT");
    await running.until(() => project.notes("pids").length === 2);
    project.write("go", "");
    const { code, json } = await running.ended;

    expect(code).toBe(0);
    expect(json).toMatchObject({ repeats: {}, deadLetters: 0 });
    expect(project.notes("passed")).toEqual([0, 1, 2, 3]);
    expect(project.notes("slow")).toEqual([0, 1, 2, 3]);
  },
);
