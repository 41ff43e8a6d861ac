import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isAlive } from "../support/run-processes.ts";
import { monotonicMs } from "../support/sink-record.ts";
import { StormRun } from "../support/storm-run.ts";

/** R10: a stopped instance is noticed within five seconds; the rest is for its end to be seen, on a busy machine. */
const NOTICED_MS = 6_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ms-"));
  mkdirSync(join(folder, "records"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each(["stage", "sink"] as const)(
  "a %s instance that is stopped under load is replaced; let go on, it can settle nothing; nothing is lost",
  { timeout: 120_000 },
  async (kind) => {
    // A pace that leaves work to do for longer than it takes to notice.
    const storm = new StormRun(folder, { items: 100_000, sourcePaceMs: 0.12 });
    try {
      await storm.until(() => storm.reached > 5_000);
      const victim = await storm.find(kind);
      const before = storm.processes(kind).length;
      const at = monotonicMs();
      process.kill(victim.pid, "SIGSTOP");
      await storm.until(() => !storm.processes(kind).some(({ pid }) => pid === victim.pid), NOTICED_MS);
      const over = monotonicMs();
      // Were it still there, it would go on now, with what it had in hand.
      if (isAlive(victim.pid)) process.kill(victim.pid, "SIGCONT");
      await storm.until(() => storm.processes(kind).length >= before, 5_000);
      const reachedThen = storm.reached;
      expect(reachedThen).toBeLessThan(100_000);

      const { code } = await storm.command.ended;
      const { result } = storm.command;
      // It died as an instance that is killed does, and no more than its window comes again.
      const verdict = storm.judge({
        kills: [{ kind: kind === "sink" ? "sink" : "stage", pid: victim.pid, stage: victim.stage, at, over }],
        result,
        exitCode: code,
      });
      expect(verdict.problems, storm.command.stderr).toEqual([]);
      expect(verdict.givenAgain).toBe(0);
      expect(result.repeats["drain-cut-short"] ?? 0).toBe(0);
      expect(storm.command.stderr).toContain("hung");
      process.stdout.write(
        `SIGSTOP ${kind}: noticed after ${((over - at) / 1_000).toFixed(1)} s, ${verdict.redelivered} repeats at the sink, ${verdict.allowed} allowed\n`,
      );
    } finally {
      await storm.end();
    }
  },
);

test("a run whose command is stopped and goes on repeats nothing that has no cause, and loses nothing", {
  timeout: 120_000,
}, async () => {
  const storm = new StormRun(folder, { items: 100_000, sourcePaceMs: 0.05 });
  try {
    await storm.until(() => storm.reached > 5_000);
    process.kill(storm.command.pid, "SIGSTOP");
    await sleep(6_500);
    process.kill(storm.command.pid, "SIGCONT");
    const { code } = await storm.command.ended;
    // Its instances went on without it: it has nobody to declare dead.
    const verdict = storm.judge({ kills: [], result: storm.command.result, exitCode: code });
    expect(verdict.problems, storm.command.stderr).toEqual([]);
    expect(verdict.redelivered).toBe(0);
    expect(storm.command.stderr).not.toContain("hung");
  } finally {
    await storm.end();
  }
});
