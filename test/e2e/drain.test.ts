import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const PIPELINE = (callMs: number, items: number) => `
  import { setTimeout as sleep } from "node:timers/promises";
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("busy");
  const feed = p.source("feed", function* (ctx) {
    for (let n = (ctx.resume as number | undefined) ?? 0; n < ${items}; n++) { yield n; ctx.checkpoint(n + 1); }
  });
  const slow = p.stage("slow", async (n: number, ctx) => {
    note(n, "begun");
    ctx.onDrain((reason) => note(reason, "told"));
    await sleep(${callMs});
    return n;
  }, { concurrency: 8, instances: 2 });
  const batch = p.stage("batch", (items: number[]) => { note(items.length, "batches"); return items; }, { batch: { size: 50, withinMs: 60_000 } });
  feed.to(slow).to(batch).to(p.sink("out", (n: number) => note(n)));
  export default p;
`;

test("SIGTERM under load: what has begun is finished, the rest is kept, nothing is lost or repeated", {
  timeout: 150_000,
}, async () => {
  const project = cliProject({ "busy.ts": PIPELINE(300, 300) });
  const running = project.start("busy.ts");
  await running.until(() => project.notes("begun").length > 40);
  const at = performance.now();
  // As a terminal, or a service manager, does it: every process of the run gets the signal.
  running.signalAll("SIGTERM");
  const { code, json, stderr } = await running.ended;
  const tookMs = performance.now() - at;
  expect(code).toBe(143);
  expect(stderr).toContain("stopping");
  expect(tookMs).toBeLessThan(3_000);
  expect(tookMs).toBeGreaterThan(100);
  expect(json.status).toBe("stopped");
  expect(json.repeats).toEqual({});
  // Every call that had begun has ended well, part batches were flushed.
  expect(json.stages.slow).toMatchObject({ completed: project.notes("begun").length, dead: 0 });
  expect(project.notes("told")).toContain("stopped");
  const sizes = project.notes<number>("batches");
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(json.stages.batch?.completed);

  project.write("busy.ts", PIPELINE(1, 300).replace("withinMs: 60_000", "withinMs: 20"));
  const resumed = await project.run("busy.ts");
  expect(resumed.code).toBe(0);
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  expect(project.notes("begun")).toHaveLength(300);
  expect(resumed.json.repeats).toEqual({});
  expect(unsettled(resumed.json)).toEqual({});
});

test("a second Ctrl-C stops at once: nothing is lost, what was in hand comes again", {
  timeout: 150_000,
}, async () => {
  const project = cliProject({ "busy.ts": PIPELINE(5_000, 200) });
  const running = project.start("busy.ts");
  await running.until(() => project.notes("begun").length === 16);
  running.signal("SIGINT");
  await running.until((stderr) => stderr.includes("stopping"));
  // Two that come as one are one.
  await sleep(10);
  const at = performance.now();
  running.signal("SIGINT");
  const { code, json } = await running.ended;
  expect(performance.now() - at).toBeLessThan(2_500);
  expect(code).toBe(130);
  expect(json.status).toBe("stopped");
  expect(json.stages.slow).toMatchObject({ accepted: 200, completed: 0, dead: 0 });

  project.write("busy.ts", PIPELINE(1, 200).replace("withinMs: 60_000", "withinMs: 20"));
  const resumed = await project.run("busy.ts");
  expect(resumed.code).toBe(0);
  expect(project.notes<number>().sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  // 16 calls were cut off: each repeat has its cause, and nobody is charged for it.
  expect(resumed.json.repeats).toEqual({ "drain-cut-short": 16 });
});

test("Ctrl-C while it is still starting: nothing has run, nothing is left, the exit code says why", {
  timeout: 150_000,
}, async () => {
  const project = cliProject({
    "loads.ts": `
      import { note } from "./note.ts";
      note("loading");
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      export default 1;
    `,
  });
  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    const running = project.start("loads.ts");
    const before = project.notes().length;
    await running.until(() => project.notes().length > before);
    const at = performance.now();
    running.signalAll(signal);
    const { code, stdout, stderr } = await running.ended;
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: "" });
    expect(stderr).not.toContain("MR_");
    expect(performance.now() - at).toBeLessThan(3_000);
  }
});
