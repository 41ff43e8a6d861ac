import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";
import { commandLine, descendants } from "../support/process-tree.ts";

const LIMIT = { timeout: 60_000 };

test(
  "instances share a backlog, and one that comes later gets its part: nobody takes all there is",
  LIMIT,
  async () => {
    const project = cliProject({
      "share.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("share");
      const feed = p.source("feed", function* () { for (let n = 0; n < 1_000; n++) yield n; });
      feed.to(p.sink("out", async (n: number) => { await sleep(5); note([n, process.pid]); }, { instances: 2 }));
      export default p;
    `,
    });
    const running = project.start("share.ts", [], { timeoutMs: 50_000 });
    const done = () => project.notes<[number, number]>();
    const processes = () => [...new Set(done().map(([, pid]) => pid))];
    await running.until(() => processes().length === 2 && done().length > 100);
    const [victim = 0] = processes();
    expect(descendants(running.pid)).toContain(victim);
    expect(commandLine(victim)).toContain("instance");
    process.kill(victim, "SIGKILL");

    const { code, json } = await running.ended;
    expect(code).toBe(0);
    expect(json.stages.out).toMatchObject({ accepted: 1_000, completed: 1_000 });
    const shares = new Map<number, number>();
    for (const [, pid] of done()) shares.set(pid, (shares.get(pid) ?? 0) + 1);
    shares.delete(victim);
    // The one that stayed, the one that came, and for a moment the one that ran what the dead one had in hand.
    const [most = 0, second = 0] = [...shares.values()].sort((a, b) => b - a);
    expect(second).toBeGreaterThan(150);
    expect(most).toBeLessThan(750);
  },
);

test(
  "pipelines with the same names of stages, in one data directory, at one time: each keeps to its own",
  LIMIT,
  async () => {
    const module = (name: string) => `
    import { setTimeout as sleep } from "node:timers/promises";
    import { pipeline } from "millrace";
    import { note } from "./note.ts";
    const p = pipeline("${name}");
    const feed = p.source("feed", async function* () { for (let n = 0; n < 200; n++) { yield "${name}"; if (n % 20 === 0) await sleep(20); } });
    const pass = p.stage("pass", (text: string) => { if (text !== "${name}") throw new Error("a stranger"); return text; });
    feed.to(pass).to(p.sink("out", (text: string) => note(text, "${name}")));
    export default p;
  `;
    const project = cliProject({ "one.ts": module("one"), "two.ts": module("two") });
    const [one, two] = await Promise.all([project.run("one.ts"), project.run("two.ts")]);
    for (const { code, json } of [one, two]) {
      expect(code).toBe(0);
      expect(json.stages.out).toMatchObject({ accepted: 200, completed: 200 });
      expect(unsettled(json)).toEqual({});
    }
    expect(project.notes("one")).toEqual(Array(200).fill("one"));
    expect(project.notes("two")).toEqual(Array(200).fill("two"));
  },
);

test(
  "stages of one module share no memory: what one puts into a variable, the other does not see",
  LIMIT,
  async () => {
    const project = cliProject({
      "global.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      let handle = "nobody's";
      const p = pipeline("global");
      const owned = (owner: string) => ({
        setup: () => { if (handle !== "nobody's") throw new Error("it is " + handle); handle = owner; },
        run: (n: number) => { note([owner, handle]); return n; },
      });
      const feed = p.source("feed", function* () { for (let n = 0; n < 100; n++) yield n; });
      feed.to(p.stage("left", owned("left"))).to(p.sink("out", owned("out")));
      feed.to(p.sink("right", owned("right"), { instances: 2 }));
      export default p;
    `,
    });
    expect((await project.run("global.ts")).code).toBe(0);
    const notes = project.notes<[string, string]>();
    expect(notes).toHaveLength(300);
    expect(notes.filter(([owner, handle]) => owner !== handle)).toEqual([]);
  },
);

test("a stop ends its own run, not another's", LIMIT, async () => {
  const module = (name: string) => `
    import { existsSync } from "node:fs";
    import { pipeline } from "millrace";
    import { note } from "./note.ts";
    const p = pipeline("${name}");
    const feed = p.source("feed", async function* () {
      yield 1;
      while (!existsSync("go")) await new Promise((done) => setTimeout(done, 10));
      yield 2;
    });
    feed.to(p.sink("out", (n: number) => note(n, "${name}")));
    export default p;
  `;
  const project = cliProject({ "one.ts": module("one"), "two.ts": module("two") });
  const [one, two] = [project.start("one.ts"), project.start("two.ts")];
  const hasBegun = (name: string) => () => project.notes(name).length > 0;
  await Promise.all([one.until(hasBegun("one")), two.until(hasBegun("two"))]);
  one.signal("SIGINT");
  expect((await one.ended).code).toBe(130);

  project.write("go", "");
  const { code, json } = await two.ended;
  expect(code).toBe(0);
  expect(json.repeats).toEqual({});
  expect(project.notes("two")).toEqual([1, 2]);
  expect(project.notes("one")).toEqual([1]);
});
