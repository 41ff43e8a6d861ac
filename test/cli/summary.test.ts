import { expect, test } from "vitest";
import { PLAIN } from "../../src/cli/display/style.ts";
import { commandLine } from "../../src/cli/shell-text.ts";
import { type SummaryOptions, summaryOf } from "../../src/cli/summary.ts";
import type { Counts, RunResult } from "../../src/definition/run-result.ts";

const NOTHING: Counts = {
  accepted: 0,
  completed: 0,
  filtered: 0,
  dead: 0,
  discarded: 0,
  quarantined: 0,
  emitted: 0,
};
const RESULT: RunResult = {
  run: "r1",
  status: "completed",
  stages: {
    feed: { ...NOTHING, emitted: 100_000 },
    check: { ...NOTHING, accepted: 100_000, completed: 99_000, filtered: 950, dead: 50, emitted: 99_000 },
  },
  deadLetters: 50,
  repeats: { "instance-died": 12, "source-restarted": 0 },
  durationMs: 12_345,
};
const OPTIONS: SummaryOptions = {
  pipeline: "orders",
  data: ".millrace",
  command: "millrace run orders.ts",
  width: 100,
  style: PLAIN,
};

test("a completed run: counts, repeats in plain words, where its dead letters and its data are", () => {
  expect(summaryOf(RESULT, OPTIONS)).toEqual({
    lines: [
      "orders completed in 12.3 s (run r1)",
      "stage  accepted  completed  filtered  dead  emitted",
      "feed          0          0         0     0  100,000",
      "check   100,000     99,000       950    50   99,000",
      "processed again: 12 in hand when a process died",
      "50 dead letters: millrace dead list orders --run r1",
      "data: .millrace/orders/r1",
    ],
    errors: [],
  });
});

test("a run that failed: why, what is left, where to read on and what resumes it", () => {
  const failed: RunResult = {
    ...RESULT,
    status: "failed",
    deadLetters: 0,
    repeats: {},
    stages: { check: { ...NOTHING, accepted: 10, completed: 7, quarantined: 1 } },
    error: { name: "RunError", code: "MR_SETUP_FAILED", message: "run r1: no\u001b[2J", stack: "" },
  };
  const errors = ["error MR_SETUP_FAILED  run r1: no\\x1b[2J", "  more: millrace explain MR_SETUP_FAILED"];

  expect(summaryOf(failed, { ...OPTIONS, data: "my data", command: "millrace run a.ts" })).toEqual({
    lines: [
      "orders failed in 12.3 s (run r1)",
      "stage  accepted  completed  filtered  dead  quarantined  emitted",
      "check        10          7         0     0            1        0",
      "check: 2 not settled yet, kept",
      ...errors,
      "data: my data/orders/r1",
      "the same command resumes this run: millrace run a.ts",
    ],
    errors,
  });
});

test("a job that failed: its task's input and the place in its code stand below the error", () => {
  const stack = "TypeError: bad\n    at Object.process (/home/me/job.ts:8:9)\n    at other (x.js:1:1)";
  const error = { name: "TypeError", message: "bad", stack };
  const failed: RunResult = {
    ...RESULT,
    status: "failed",
    deadLetters: 0,
    error: { ...error, code: "MR_JOB_FAILED", message: "task 3 has failed: TypeError: bad" },
    failedTask: { position: 3, input: { when: new Date(0), n: 7n }, error },
  };
  const lines = [
    "error MR_JOB_FAILED  task 3 has failed: TypeError: bad",
    '  task 3: {"when":"1970-01-01T00:00:00.000Z","n":"7"}',
    "  at Object.process (/home/me/job.ts:8:9)",
    "  more: millrace explain MR_JOB_FAILED",
  ];
  expect(summaryOf(failed, OPTIONS).errors).toEqual(lines);
  expect(summaryOf(failed, OPTIONS).lines).toEqual(expect.arrayContaining(lines));
});

test("of a stopped run what is pushed for later is shown as well, though no count has it yet", () => {
  const stopped: RunResult = {
    ...RESULT,
    status: "stopped",
    stages: { feed: NOTHING, check: { ...NOTHING, accepted: 10, completed: 8 } },
    unsettled: { feed: 3, check: 2 },
  };

  expect(summaryOf(stopped, OPTIONS).lines).toEqual(
    expect.arrayContaining(["feed: 3 not settled yet, kept", "check: 2 not settled yet, kept"]),
  );
});

test("of a run in memory nothing is kept, and nothing is said of looking at it later", () => {
  const { lines } = summaryOf({ ...RESULT, status: "stopped" }, { ...OPTIONS, data: undefined });

  expect(lines.slice(-2)).toEqual(["50 dead letters", "data: in memory, gone"]);
});

test.each([40, 60, 80, 120])("the table of counts fits into %i columns", (width) => {
  const stages = {
    "a-stage-with-a-name-of-as-many-characters-as-there-may-be-in-it-64": RESULT.stages.check as Counts,
  };
  const { lines } = summaryOf({ ...RESULT, stages }, { ...OPTIONS, width });

  expect(lines[1]).toContain("dead");
  for (const line of lines.slice(1, 3)) expect(line.length).toBeLessThanOrEqual(width);
});

test("the command that resumes is the one that was typed, quoted, without what asked for a new run", () => {
  expect(commandLine(["run", "a b.ts", "--new", "--param", "name=it's", "x.ts#main"])).toBe(
    "millrace run 'a b.ts' --param 'name=it'\\''s' x.ts#main",
  );
});
