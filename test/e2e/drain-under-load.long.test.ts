import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isAlive } from "../support/run-processes.ts";
import { monotonicMs } from "../support/sink-record.ts";
import { StormRun } from "../support/storm-run.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ms-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["SIGINT", "the command", 130],
  ["SIGTERM", "the command", 143],
  // A terminal sends Ctrl-C, and some service managers send their SIGTERM, to every process there is.
  ["SIGINT", "its whole group", 130],
  ["SIGTERM", "its whole group", 143],
] as const)(
  "%s to %s, three times over under load, resumed each time: nothing is lost, nothing is repeated",
  {
    timeout: 120_000,
  },
  async (signal, whom, exitCode) => {
    const storm = new StormRun(folder, {}, { detached: true });
    try {
      for (const share of [0.05, 0.3, 0.55]) {
        await storm.until(() => storm.reached > share * storm.settings.items);
        const { pid } = storm.command;
        const at = monotonicMs();
        process.kill(whom === "the command" ? pid : -pid, signal);
        const { code } = await storm.command.ended;
        expect(code, storm.command.stderr).toBe(exitCode);
        expect(monotonicMs() - at).toBeLessThan(32_000);
        expect(storm.command.result.status).toBe("stopped");
        expect(storm.left()).toEqual([]);
        expect(storm.reached).toBeLessThan(storm.settings.items);
        storm.again(true);
      }
      const { code } = await storm.command.ended;
      const verdict = storm.judge({ kills: [], result: storm.command.result, exitCode: code });
      expect(verdict.problems, storm.stderr).toEqual([]);
      expect(verdict).toMatchObject({ redelivered: 0, givenAgain: 0 });
      expect(storm.command.result.repeats).toEqual({});
    } finally {
      await storm.end();
    }
  },
);

test("a second SIGINT stops at once; what was in hand comes again, once, and is told", {
  timeout: 120_000,
}, async () => {
  const storm = new StormRun(folder);
  try {
    await storm.until(() => storm.reached > 40_000);
    const sinks = storm.processes("sink");
    const { pid } = storm.command;
    const at = monotonicMs();
    process.kill(pid, "SIGINT");
    await storm.until(() => storm.command.stderr.includes("stopping"));
    // Two that come as one are one.
    await sleep(10);
    if (isAlive(pid)) process.kill(pid, "SIGINT");
    const { code } = await storm.command.ended;
    const over = monotonicMs();
    expect(code).toBe(130);
    expect(over - at).toBeLessThan(2_500);
    expect(storm.left()).toEqual([]);

    storm.again();
    const { code: last } = await storm.command.ended;
    const kills = [
      ...sinks.map(({ pid, stage }) => ({ kind: "sink" as const, pid, stage, at, over })),
      { kind: "source" as const, pid: 0, stage: "feed", at, over },
    ];
    const { result } = storm.command;
    const verdict = storm.judge({ kills, result, exitCode: last });
    expect(verdict.problems, storm.stderr).toEqual([]);
  } finally {
    await storm.end();
  }
});

test("the streams process dies while the run drains: it drains all the same, and nothing is lost", {
  timeout: 120_000,
}, async () => {
  const storm = new StormRun(folder);
  try {
    await storm.until(() => storm.reached > 40_000);
    const streams = await storm.find("streams");
    const at = monotonicMs();
    process.kill(storm.command.pid, "SIGINT");
    await storm.until(() => storm.command.stderr.includes("stopping"));
    if (isAlive(streams.pid)) process.kill(streams.pid, "SIGKILL");
    const { code } = await storm.command.ended;
    const over = monotonicMs();
    expect(code, storm.stderr).toBe(130);
    expect(over - at).toBeLessThan(10_000);
    expect(storm.left()).toEqual([]);

    storm.again();
    const { code: last } = await storm.command.ended;
    const kills = [{ kind: "streams" as const, pid: streams.pid, stage: "", at, over }];
    const verdict = storm.judge({ kills, result: storm.command.result, exitCode: last });
    expect(verdict.problems, storm.stderr).toEqual([]);
    expect(verdict.givenAgain).toBe(0);
  } finally {
    await storm.end();
  }
});
