import { expect, test } from "vitest";
import { cliProject, unsettled } from "../support/cli-project.ts";

const LIMIT = { timeout: 90_000 };

test(
  "a rate holds over two instances, retries included; a key over its limit blocks no other; waiting is no part of a call",
  LIMIT,
  async () => {
    const project = cliProject({
      "rate.ts": `
      import { pipeline } from "millrace";
      import { note } from "./note.ts";
      const p = pipeline("rate");
      const feed = p.source("feed", function* () { for (let n = 0; n < 100; n++) yield n; });
      feed.to(p.sink("all", async (n: number, ctx) => {
        note({ at: performance.timeOrigin + performance.now(), pid: process.pid }, "all");
        if (n < 20 && ctx.item.attempt === 1) throw new Error("once more");
      }, { rate: { limit: 100, perMs: 1_000 }, instances: 2, timeoutMs: 400, retry: { backoff: { initialMs: 1 } } }));
      feed.to(p.sink("batched", (all: number[]) => note(all.length, "batched"), {
        rate: { limit: 200, perMs: "1s" }, batch: { size: 10, withinMs: 20 },
      }));
      feed.to(p.sink("keyed", (n: number) => note(n, "keyed"), {
        rate: { limit: 5, perMs: 1_000, by: (n) => (n === 99 ? (7 as never) : n < 9 ? "busy" : "idle-" + n) },
        timeoutMs: 400,
        retry: { attempts: 1 },
      }));
      export default p;
    `,
    });
    const { code, json } = await project.run("rate.ts");

    expect(code).toBe(8);
    expect(unsettled(json)).toEqual({});
    const calls = project.notes<{ at: number; pid: number }>("all").sort((a, b) => a.at - b.at);
    expect(calls).toHaveLength(120);
    expect(new Set(calls.map(({ pid }) => pid)).size).toBe(2);
    // 10 at once, then 100 a second: less than that would be a budget of its own for somebody.
    expect((calls.at(-1)?.at ?? 0) - (calls[0]?.at ?? 0)).toBeGreaterThan(1_000);
    const keyed = project.notes<number>("keyed");
    expect([...keyed].sort((a, b) => a - b)).toEqual(Array.from({ length: 99 }, (_, n) => n));
    // The first nine are of one key, and that may begin five a second.
    expect(keyed.indexOf(9)).toBeLessThan(keyed.indexOf(8));
    expect(project.notes<number>("batched").reduce((sum, size) => sum + size, 0)).toBe(100);
    const [dead, ...more] = await project.deadLetters("rate/keyed");
    expect(more).toEqual([]);
    expect(dead?.attempts[0]?.error.message).toContain("rate.by gave back 7 (number); give back a text");
  },
);
