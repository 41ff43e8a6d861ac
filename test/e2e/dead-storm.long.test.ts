import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { type CliProject, cliProject, unsettled } from "../support/cli-project.ts";
import { killTree } from "../support/process-tree.ts";
import { processesOf } from "../support/run-processes.ts";

const LETTERS = 10_000;

/** All items die at first; those that were edited pass, and each leaves its id behind. */
const STORM = `
  import { pipeline } from "millrace";
  import { note } from "./note.ts";
  const p = pipeline("storm");
  const feed = p.source("feed", function* () { for (let n = 0; n < ${LETTERS}; n++) yield { n, when: new Date(n) }; });
  const check = p.stage("check", (item: { n: number; when: Date; fixed?: number }) => {
    if (item.fixed !== item.n || !(item.when instanceof Date)) throw new Error("not fixed: " + item.n);
    return item;
  }, { retry: { attempts: 1 }, breaker: false });
  const out = p.sink("out", (items: { n: number }[]) => {
    note(items.map((item) => item.n), "reached");
  }, { batch: { size: 100, withinMs: 10 } });
  feed.to(check).to(out);
  export default p;
`;

const FIX =
  "export default (item: { n: number; fixed?: number }) => ({ ...item, fixed: (item.fixed ?? 0) + item.n });";

interface Storm {
  readonly kills: { readonly command: number; readonly streams: number };
  readonly last: { readonly code: number | null; readonly stdout: string; readonly stderr: string };
}

/**
 * Says the same command until it ends by itself; before that it is killed with all its processes so many times, and
 * its streams process alone whenever chance will have it.
 */
async function untilDone(
  project: CliProject,
  random: SeededRandom,
  times: number,
  args: string[],
): Promise<Storm> {
  const kills = { command: 0, streams: 0 };
  for (;;) {
    const running = project.startCommand(["dead", ...args, "--data", project.data], { timeoutMs: 120_000 });
    let hasEnded = false;
    const ended = running.ended.finally(() => {
      hasEnded = true;
    });
    while (kills.command < times && !hasEnded) {
      // From before anything has begun to well into the work.
      await sleep(random.between(50, 1_200));
      if (hasEnded) break;
      if (random.float() < 0.6) {
        killTree(running.pid);
        kills.command++;
        break;
      }
      const streams = processesOf(running.pid, { source: "feed", sink: "out" });
      const victim = streams.find(({ kind }) => kind === "streams")?.pid;
      if (victim === undefined) continue;
      process.kill(victim, "SIGKILL");
      kills.streams++;
    }
    const last = await ended;
    if (last.signal === null) return { kills, last };
  }
}

test("ten thousand dead letters, edited and replayed, the process killed half-way again and again: all complete, none lost, none twice", {
  timeout: 400_000,
}, async () => {
  const random = new SeededRandom(20_261_123);
  const project = cliProject({ "storm.ts": STORM, "fix.ts": FIX });
  const first = await project.run("storm.ts", [], { timeoutMs: 120_000 });
  expect(first.code).toBe(8);
  expect(first.json.deadLetters).toBe(LETTERS);

  const edits = await untilDone(project, random, 5, ["edit", "storm", "--all", "--with", "fix.ts"]);
  expect(edits.last.code).toBe(0);
  expect(
    (await project.millrace(["dead", "export", "storm", "--to", "letters", "--data", project.data])).code,
  ).toBe(0);
  const letters = readFileSync(project.path("letters"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: string; item: { n: number; fixed: number } });
  // Each edited once: what was edited before a kill is not edited again.
  expect(letters.map(({ item }) => item.n).sort((a, b) => a - b)).toEqual(
    Array.from({ length: LETTERS }, (_, n) => n),
  );
  expect(letters.filter(({ item }) => item.fixed !== item.n)).toEqual([]);

  const replays = await untilDone(project, random, 6, ["replay", "storm", "--all", "--json"]);
  expect(edits.kills.command + replays.kills.command).toBeGreaterThanOrEqual(4);
  const result = JSON.parse(replays.last.stdout) as typeof first.json;
  expect([replays.last.code, result.status, result.deadLetters]).toEqual([0, "completed", 0]);
  expect(unsettled(result)).toEqual({});
  // Counted in the transactions themselves: each was placed twice, died once, and went through once.
  expect(result.stages.check).toMatchObject({ accepted: 2 * LETTERS, dead: LETTERS, completed: LETTERS });
  expect(result.stages.out).toMatchObject({ accepted: LETTERS, completed: LETTERS });

  // A sink's own effects are not part of the transaction: what was in hand when its process died comes once more.
  const reached = project.notes<number[]>("reached").flat();
  expect(new Set(reached).size).toBe(LETTERS);
  const repeats = Object.values(result.repeats).reduce((sum, items) => sum + items, 0);
  expect(reached.length - LETTERS).toBeLessThanOrEqual(repeats);
});
