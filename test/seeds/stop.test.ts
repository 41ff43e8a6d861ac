import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 60_000 };

test(
  "a stop is not held up by one stuck call: the others are told at once and end, that one at its time-out",
  LIMIT,
  async () => {
    const project = cliProject({
      "stuck.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("stuck");
      const feed = p.source("feed", async function* () { for (let n = 0; ; n++) { yield n; await sleep(5); } });
      const told = (stage: string) => async (_n: number, ctx) => {
        ctx.onDrain(() => note([stage, "told", Date.now()]));
        await sleep(20);
        note([stage, "done", Date.now()]);
      };
      feed.to(p.sink("easy", told("easy")));
      feed.to(p.sink("other", told("other")));
      feed.to(p.sink("stuck", () => { note(["stuck", "begun", Date.now()]); return new Promise<void>(() => {}); }, { timeoutMs: 4_000, graceMs: 300, retry: { attempts: 9 } }));
      export default p;
    `,
    });
    const running = project.start("stuck.ts", [], { timeoutMs: 50_000 });
    const notes = () => project.notes<[string, string, number]>();
    await running.until(
      () =>
        notes().some(([stage]) => stage === "stuck") &&
        notes().filter(([, what]) => what === "done").length > 10,
    );
    const stoppedAt = Date.now();
    running.signal("SIGINT");
    const { code, json, durationMs } = await running.ended;

    expect(code).toBe(130);
    expect(json.status).toBe("stopped");
    expect(durationMs).toBeLessThan(20_000);
    for (const stage of ["easy", "other"]) {
      const told = notes().find(([name, what]) => name === stage && what === "told");
      expect((told?.[2] ?? 0) - stoppedAt, stage).toBeLessThan(3_000);
      // The call that was in hand came to its end, and no other was begun after it.
      expect(notes().filter(([name, what]) => name === stage && what === "done")).toHaveLength(
        json.stages[stage]?.completed ?? -1,
      );
    }
    expect(Object.keys(unsettled(json))).toContain("stuck");
  },
);
