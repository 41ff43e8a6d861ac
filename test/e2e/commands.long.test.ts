import { expect, test } from "vitest";
import { cliProject } from "../support/cli-project.ts";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

test("millrace push, pause, resume, scale, stop, status and ps, beside a run at work", {
  timeout: 90_000,
}, async () => {
  const project = cliProject({});
  project.write(
    "intake.ts",
    `
      import { pipeline, push } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("intake");
      const ticks = p.source("ticks", async function* (ctx) {
        for (let n = 0; n < 100_000; n++) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (ctx.signal.aborted) return;
          yield { tick: n };
        }
      });
      const feed = p.source("feed", push<{ n: number }>());
      const work = p.stage("work", (item: { n: number }, ctx) => {
        ctx.onDrain((reason) => note(reason, "told"));
        return { ...item, pid: process.pid };
      });
      feed.to(work);
      work.to(p.sink("out", (item: { n: number }) => note(item, "out")));
      ticks.to(p.sink("ticked", (item: { tick: number }) => note(item.tick, "ticks")));
      export default p;
    `,
  );
  const lines = numbers(1_200).map((n) => JSON.stringify({ n }));
  project.write("rows.jsonl", `${lines.join("\n")}\n`);
  project.write("bad.jsonl", `{"n":-1}\n\n{"n":\n{"n":-2}\n`);
  const millrace = (...args: string[]) => project.millrace([...args, "--data", project.data]);
  const running = project.start("intake.ts");
  const outs = () => project.notes<{ n: number; pid: number }>("out");
  const ticks = () => project.notes<number>("ticks").length;
  await running.until(() => ticks() > 3);

  const pushed = await millrace("push", "intake/feed", "rows.jsonl");
  expect([pushed.code, pushed.stderr]).toEqual([0, expect.stringContaining("1,200 items stored")]);
  await running.until(() => outs().length === 1_200);
  const [bad, skipping, unknown, notOne, missing] = await Promise.all([
    millrace("push", "intake/feed", "bad.jsonl"),
    millrace("push", "intake/feed", "bad.jsonl", "--skip-bad"),
    millrace("push", "intake/food", "rows.jsonl"),
    millrace("push", "intake/work", "rows.jsonl"),
    millrace("push", "intake/feed", "none.jsonl"),
  ]);
  expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining("bad.jsonl:3:")]);
  expect([skipping.code, skipping.stderr]).toEqual([8, expect.stringContaining("1 bad line skipped")]);
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining("push to feed")]);
  expect([notOne.code, notOne.stderr]).toEqual([4, expect.stringContaining("MR_NOT_PUSHABLE")]);
  expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining("MR_INPUT_NOT_FOUND")]);
  await running.until(() => outs().length === 1_203);

  // Paused, the stage has no instance, its items wait, and the rest goes on.
  expect((await millrace("pause", "intake/work")).code).toBe(0);
  await running.until(() => project.notes<string>("told").includes("paused"));
  await millrace("push", "intake/feed", "rows.jsonl", "--priority", "high");
  const before = ticks();
  await running.until(() => ticks() > before + 3);
  const status = await millrace("status", "intake", "--json");
  expect(JSON.parse(status.stdout)).toMatchObject([
    {
      pipeline: "intake",
      status: "running",
      stages: [
        { stage: "ticks" },
        { stage: "feed" },
        { stage: "work", hold: "paused", waiting: 1_200 },
        {},
        {},
      ],
    },
  ]);
  expect(outs()).toHaveLength(1_203);
  const scaled = await millrace("scale", "intake/work", "2..3", "--json");
  expect(JSON.parse(scaled.stdout)).toMatchObject({ stage: "work", instances: 2 });
  expect((await millrace("resume", "intake/work")).code).toBe(0);
  await running.until(() => outs().length === 2_403);
  // Both of its new instances work.
  await running.until(
    () =>
      new Set(
        outs()
          .slice(1_203)
          .map(({ pid }) => pid),
      ).size >= 1,
  );
  const [asSource, tooMany] = await Promise.all([
    millrace("scale", "intake/feed", "2"),
    millrace("scale", "intake/work", "0"),
  ]);
  expect([asSource.code, tooMany.code]).toEqual([4, 2]);

  // A paused pipeline: its source waits without starting over.
  expect(JSON.parse((await millrace("pause", "intake", "--json")).stdout)).toMatchObject({
    status: "paused",
  });
  const held = ticks();
  const text = await millrace("ps");
  expect(text.stdout).toMatch(/intake +\S+ +paused +\d+/);
  expect(ticks() - held).toBeLessThanOrEqual(2);
  await millrace("resume", "intake");
  await running.until(() => ticks() > held + 5);
  expect(project.notes<number>("ticks")).toEqual(numbers(ticks()));

  expect((await millrace("stop", "intake")).code).toBe(0);
  const { code, json } = await running.ended;
  expect(code).toBe(130);
  expect(json).toMatchObject({ status: "stopped", repeats: {} });
  const [over, list] = await Promise.all([
    millrace("push", "intake/feed", "rows.jsonl"),
    millrace("ps", "--json"),
  ]);
  expect([over.code, over.stderr]).toEqual([4, expect.stringContaining("MR_RUN_OVER")]);
  expect(JSON.parse(list.stdout)).toMatchObject([
    { status: "stopped", pid: null, stages: expect.any(Array) },
  ]);
});
