import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

/** In every process that has it, the wall clock jumps by up to a day, forth and back, fifty times a second. */
const JUMPING = `
  const real = Date.now;
  const RealDate = Date;
  let offset = 0;
  setInterval(() => { offset = (Math.random() - 0.5) * 2 * 86_400_000; }, 20).unref();
  Date.now = () => real() + offset;
  globalThis.Date = class extends RealDate {
    constructor(...args) { super(...(args.length === 0 ? [real() + offset] : args)); }
  };
  globalThis.Date.now = () => real() + offset;
`;

test("a wall clock that jumps by hours disturbs neither retries nor time-outs, batches, claims or completion", {
  timeout: 60_000,
}, async () => {
  const project = cliProject({
    "jumping.mjs": JUMPING,
    "steady.ts": `
      import { setTimeout as sleep } from "node:timers/promises";
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("steady");
      const now = () => Number(process.hrtime.bigint() / 1_000_000n);
      const feed = p.source("feed", async function* (ctx) {
        for (let n = 0; n < 300; n++) { yield n; ctx.checkpoint(n); if (n % 10 === 0) await sleep(10); }
        note(Date.now(), "clock");
      });
      const again = p.stage("again", (n: number, ctx) => {
        if (n % 50 === 0) {
          note([n, ctx.item.attempt, now()], "attempts");
          if (ctx.item.attempt < 3) throw new Error("not yet");
        }
        return n;
      }, { retry: { attempts: 3, backoff: { initialMs: 400, factor: 1, jitter: "none" } } });
      const hang = p.stage("hang", (n: number, ctx) => (n === 7 && ctx.item.attempt === 1 ? new Promise<number>(() => {}) : n), {
        timeoutMs: 700, graceMs: 200, concurrency: 4, retry: { attempts: 3, backoff: { initialMs: 10 } },
      });
      feed.to(again).to(hang).to(p.sink("out", (items: number[]) => note(items), { batch: { size: 1_000, withinMs: 50 } }));
      export default p;
    `,
  });
  const before = Date.now();
  const { code, json, durationMs, stderr } = await project.run("steady.ts", [], {
    timeoutMs: 50_000,
    env: { NODE_OPTIONS: `--import ${pathToFileURL(project.path("jumping.mjs"))}` },
  });

  expect(code, stderr).toBe(0);
  // The clock did jump.
  expect(Math.abs(project.notes<number>("clock")[0]! - before)).toBeGreaterThan(60_000);
  expect(durationMs).toBeLessThan(30_000);
  expect(unsettled(json)).toEqual({});
  expect(json.stages.again).toMatchObject({ accepted: 300, completed: 300 });
  const out = project.notes<number[]>().flat();
  expect(out.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, n) => n));

  const attempts = project.notes<[n: number, attempt: number, at: number]>("attempts");
  for (const n of [0, 50, 100, 150, 200, 250]) {
    const at = attempts.filter(([item]) => item === n).map(([, , time]) => time);
    expect(at).toHaveLength(3);
    for (const i of [1, 2]) {
      const waited = (at[i] as number) - (at[i - 1] as number);
      expect(waited).toBeGreaterThanOrEqual(399);
      expect(waited).toBeLessThan(10_000);
    }
  }
});
