import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 150_000 };

const COUNTING = `
  import { setTimeout as sleep } from "node:timers/promises";
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("counting");
  const feed = p.source("feed", {
    setup: () => { note({ setup: "feed" }, "life"); },
    run: async function* (ctx) {
      note({ resume: ctx.resume ?? "none" }, "life");
      const from = (ctx.resume as { next: number; at: Date; seen: Set<number> } | undefined) ?? { next: 0, at: new Date(0), seen: new Set() };
      if (!(from.at instanceof Date) || !(from.seen instanceof Set)) throw new Error("the token is not what it was");
      const token = { next: from.next, at: new Date(1), seen: new Set<number>() };
      for (let n = from.next; n < 400; n++) {
        yield n;
        // One object, changed on and on: what is stored is what it was.
        token.next = n + 1;
        if (n % 10 === 9) ctx.checkpoint(token);
        if (n % 20 === 19) await sleep(5);
      }
    },
    teardown: () => note({ teardown: "feed" }, "life"),
  });
  const work = p.stage("work", {
    setup: async (ctx) => { await sleep(5); note({ setup: ctx.stage, pid: process.pid }, "life"); return { calls: 0 }; },
    run: async (n: number, ctx) => {
      if (ctx.state.calls++ === 0) note({ first: "work", pid: process.pid }, "life");
      await sleep(2);
      return n;
    },
    teardown: async (state) => { await sleep(5); note({ teardown: "work", pid: process.pid, calls: state.calls }, "life"); },
  }, { concurrency: 2, instances: 2 });
  feed.to(work).to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

type Life = {
  setup?: string;
  teardown?: string;
  first?: string;
  pid?: number;
  calls?: number;
  resume?: "none" | { next: number };
};

test(
  "stopped by Ctrl-C again and again, the same command resumes: every item once, setup and teardown around each life",
  LIMIT,
  async () => {
    const project = cliProject({ "counting.ts": COUNTING });
    const lives: { run: string; kept: number }[] = [];
    for (const goal of [40, 120]) {
      const running = project.start("counting.ts");
      // A signal that comes before there is a run ends the command by itself: that is another test.
      await running.until((stderr) => stderr.includes("(run ") && project.notes().length >= goal);
      running.signal("SIGINT");
      const { code, json, stderr } = await running.ended;
      expect(code).toBe(130);
      expect(json.status).toBe("stopped");
      expect(stderr).toContain(lives.length === 0 ? "counting runs" : "counting resumes");
      expect(stderr).toContain("the same command resumes");
      expect(json.repeats).toEqual({});
      // While it rests: accepted is what has been settled and what is kept.
      const left = unsettled(json);
      expect(Object.values(left).every((kept) => kept > 0)).toBe(true);
      expect(json.stages.out?.completed).toBe(project.notes().length);
      expect(json.stages.feed?.emitted).toBe(json.stages.work?.accepted);
      expect(json.stages.work?.completed).toBe(json.stages.out?.accepted);
      lives.push({ run: json.run, kept: left.work ?? 0 });
    }
    const { code, json, stderr } = await project.run("counting.ts");
    expect(code).toBe(0);
    expect(stderr).toContain(`counting resumes (run ${lives[0]?.run})`);
    expect(new Set([...lives.map(({ run }) => run), json.run]).size).toBe(1);
    expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, n) => n));
    expect(unsettled(json)).toEqual({});
    // A stopped source goes on behind its last item: nothing is yielded twice, since it had a token for each ten.
    const given = json.stages.feed?.emitted ?? 0;
    const repeated = json.repeats["source-restarted"] ?? 0;
    expect(given).toBe(400 + repeated);
    expect(repeated).toBeLessThanOrEqual(2 * 10);

    const life = project.notes<Life>("life");
    const resumes = life.flatMap(({ resume }) =>
      resume === undefined ? [] : [resume === "none" ? 0 : resume.next],
    );
    expect(resumes[0]).toBe(0);
    expect(resumes.every((next, i) => next % 10 === 0 && next >= (resumes[i - 1] ?? 0))).toBe(true);
    for (const pid of new Set(life.flatMap(({ pid }) => pid ?? []))) {
      const mine = life
        .filter((entry) => entry.pid === pid)
        .map((entry) => (entry.setup ? "setup" : entry.first ? "first" : "teardown"));
      expect(mine.filter((step) => step !== "first")).toEqual(["setup", "teardown"]);
      if (mine.includes("first")) expect(mine).toEqual(["setup", "first", "teardown"]);
    }
    expect(life.filter(({ setup }) => setup === "feed")).toHaveLength(
      life.filter(({ teardown }) => teardown === "feed").length,
    );
  },
);

test(
  "a source that threw goes on from its last durable token after a fix; a completed run is not resumed",
  LIMIT,
  async () => {
    const source = (body: string) => `
    import { pipeline } from "millrace";
    import { note } from "./note.ts";
    const p = pipeline("fixed");
    p.source("feed", {
      run: function* (ctx) {
        note(ctx.resume ?? "none", "resumes");
        for (let n = (ctx.resume as number | undefined) ?? 0; n < 100; n++) { ${body} yield n; ctx.checkpoint(n + 1); }
      },
      teardown: () => note("teardown", "life"),
    }, { retry: { attempts: 3, backoff: { initialMs: 10 } } }).to(p.sink("out", (n: number) => note(n)));
    export default p;
  `;
    const project = cliProject({
      "fixed.ts": source(`if (n === 60) throw new RangeError("line 60 is bad");`),
    });
    const failed = await project.run("fixed.ts");
    expect(failed.code).toBe(1);
    expect(failed.json.status).toBe("failed");
    expect(failed.stderr).toMatch(/MR_SOURCE_FAILED .*RangeError: line 60 is bad/);
    expect(failed.stderr).toContain("resumes");
    expect(failed.json.error).toMatchObject({ code: "MR_SOURCE_FAILED" });
    expect(failed.json.error?.stack).toContain("fixed.ts:8:");
    expect(project.notes("resumes").slice(0, 4)).toEqual(["none", 60, 60]);
    expect(project.notes("life")).toHaveLength(3);
    expect(project.notes()).toHaveLength(60);

    project.write("fixed.ts", source(""));
    const { code, json, stderr } = await project.run("fixed.ts");
    expect(code).toBe(0);
    expect(json.run).toBe(failed.json.run);
    expect(stderr).toContain("fixed resumes");
    expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(project.notes("resumes").at(-1)).toBe(60);
    expect(json.repeats).toEqual({});

    const again = await project.run("fixed.ts");
    expect(again.json.run).not.toBe(json.run);
    expect(again.stderr).toContain("fixed runs");
  },
);
