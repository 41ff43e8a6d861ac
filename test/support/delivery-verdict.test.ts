import { expect, test } from "vitest";
import type { RunResult } from "../../src/definition/run-result.ts";
import { type Evidence, judge, type Kill } from "./delivery-verdict.ts";
import {
  decodeSinkRecords,
  encodeSinkRecord,
  fold,
  hashOf,
  RECORD_BYTES,
  type SinkRecord,
} from "./sink-record.ts";

const ITEMS = 1_000;
const NODES = ["feed", "left", "right"];
const FIRST_SINK = 100;
const SECOND_SINK = 101;

/** Item 0 reaches the sink at 0 ms, item 1 at 1 ms …; the first process is killed at 500.5. */
function recordOf(id: number): SinkRecord {
  return {
    id,
    path: NODES.reduce(fold, id),
    pid: id <= 500 ? FIRST_SINK : SECOND_SINK,
    at: id,
    hops: [hashOf(`a${id}`), hashOf(`b${id}`), hashOf(`c${id}`)],
  };
}

const sinkKill: Kill = { kind: "sink", pid: FIRST_SINK, stage: "sink", at: 500.5, over: 501 };
const sourceKill: Kill = { kind: "source", pid: 7, stage: "feed", at: 300, over: 301 };

function resultOf(accepted: number, repeats: Record<string, number>): RunResult {
  const counts = {
    accepted,
    completed: accepted,
    filtered: 0,
    dead: 0,
    discarded: 0,
    quarantined: 0,
    emitted: accepted,
  };
  const stages = {
    feed: { ...counts, accepted: 0, completed: 0 },
    left: counts,
    right: counts,
    sink: counts,
  };
  return { run: "r", status: "completed", stages, deadLetters: 0, repeats, durationMs: 1 };
}

function evidenceOf(changes: Partial<Evidence> = {}): Evidence {
  return {
    items: ITEMS,
    nodes: NODES,
    sink: "sink",
    records: Array.from({ length: ITEMS }, (_, id) => recordOf(id)),
    kills: [],
    result: resultOf(ITEMS, {}),
    exitCode: 0,
    sinkWindow: 10,
    sinkInstances: 2,
    sourceWindow: 5,
    ...changes,
  };
}

function problemsWith(records: readonly SinkRecord[], changes: Partial<Evidence> = {}): string {
  return judge(evidenceOf({ records, ...changes })).problems.join("\n");
}

const all = (): SinkRecord[] => [...evidenceOf().records];
/** The same delivery, had by the process that died, got by the one that took its place. */
const again = (id: number): SinkRecord => ({ ...recordOf(id), pid: SECOND_SINK, at: 502 + id / 1_000 });

test("a run without a fault has no problem", () => {
  expect(judge(evidenceOf())).toEqual({ problems: [], redelivered: 0, givenAgain: 0, allowed: 0 });
});

test("repeats of what a killed sink had in hand are explained, as many as its window", () => {
  const result = resultOf(ITEMS, { "instance-died": 10 });
  const ten = [...all(), ...Array.from({ length: 10 }, (_, i) => again(491 + i))];
  expect(judge(evidenceOf({ records: ten, kills: [sinkKill], result }))).toEqual({
    problems: [],
    redelivered: 10,
    givenAgain: 0,
    allowed: 10,
  });
  const eleven = [...ten, again(490)];
  expect(
    problemsWith(eleven, { kills: [sinkKill], result: resultOf(ITEMS, { "instance-died": 11 }) }),
  ).toContain("its window is 10");
});

test("a repeat that the run does not tell of is found", () => {
  expect(problemsWith([...all(), again(500)], { kills: [sinkKill] })).toContain("0 are told, 1 were seen");
});

test("items that a restarted source gave again are explained, as many as its window, and must be told", () => {
  const givenAgain = (id: number): SinkRecord => ({
    ...recordOf(id),
    at: 600,
    hops: [hashOf(`a${id}`), hashOf(`B${id}`), hashOf(`C${id}`)],
  });
  const records = [...all(), givenAgain(299), givenAgain(300)];
  const result = resultOf(ITEMS + 2, { "source-restarted": 2 });
  expect(judge(evidenceOf({ records, kills: [sourceKill], result })).problems).toEqual([]);
  expect(problemsWith(records, { kills: [sourceKill], result: resultOf(ITEMS + 2, {}) })).toContain(
    "source-restarted is 0, 2 were seen",
  );
  expect(problemsWith(records, { kills: [], result })).toContain("no source was restarted");
  const six = [...all(), ...Array.from({ length: 6 }, (_, i) => givenAgain(295 + i))];
  expect(
    problemsWith(six, { kills: [sourceKill], result: resultOf(ITEMS + 6, { "source-restarted": 6 }) }),
  ).toContain("its restarts allow 5");
});

const lies: readonly (readonly [string, (records: SinkRecord[]) => SinkRecord[], string])[] = [
  ["one record in the middle is dropped", (r) => r.filter(({ id }) => id !== 400), "middle 1"],
  ["the first records are dropped", (r) => r.slice(2), "prefix 2, middle 0"],
  ["the last records are dropped", (r) => r.slice(0, -3), "postfix 3"],
  ["all are dropped", () => [], "lost 1000 items"],
  ["one is there twice without a kill", (r) => [...r, { ...recordOf(400), at: 450 }], "no kill explains it"],
  [
    "one was never given",
    (r) => [...r, { ...recordOf(400), id: ITEMS, path: NODES.reduce(fold, ITEMS) }],
    "never given",
  ],
  [
    "one skipped a stage",
    (r) => r.map((x) => (x.id === 400 ? { ...x, path: ["feed", "right"].reduce(fold, 400) } : x)),
    "item 400: its path",
  ],
  [
    "one has two ids of its source",
    (r) => [...r, { ...recordOf(400), at: 450, hops: [1n, 2n, 3n] }],
    "two ids",
  ],
  [
    "one was stored twice before the sink",
    (r) => [...r, { ...recordOf(400), at: 450, hops: [...recordOf(400).hops.slice(0, 2), 3n] }],
    "stored 2 times between the last stage and the sink",
  ],
];

test.each(lies)("the verdict is red when %s", (_what, doctor, expected) => {
  expect(problemsWith(doctor(all()))).toContain(expected);
});

test("the verdict is red when a repeat came before the kill, or of a process that was not killed", () => {
  const result = resultOf(ITEMS, { "instance-died": 1 });
  const early = { ...recordOf(400), pid: SECOND_SINK, at: 450 };
  expect(problemsWith([...all(), early], { kills: [sinkKill], result })).toContain("no kill explains it");
  const other = { ...recordOf(400), pid: FIRST_SINK, at: 502 };
  const survivor = all().map((record) => (record.id === 400 ? { ...record, pid: SECOND_SINK } : record));
  expect(problemsWith([...survivor, other], { kills: [sinkKill], result })).toContain("no kill explains it");
});

test("the verdict is red when the run never ended, failed, or its accounts do not add up", () => {
  expect(problemsWith(all(), { result: undefined })).toContain("unknown");
  expect(problemsWith(all(), { exitCode: 8 })).toContain("exit code 8");
  const dead = resultOf(ITEMS, {});
  const { sink } = dead.stages;
  const stages = { ...dead.stages, sink: { ...sink, completed: ITEMS - 1, dead: 1 } as typeof sink & object };
  expect(problemsWith(all(), { result: { ...dead, stages } })).toContain("1 dead");
  expect(problemsWith(all(), { result: resultOf(ITEMS + 1, {}) })).toContain("accepted 1001, not 1000");
});

test("the verdict is red when a kill came after the last item", () => {
  expect(problemsWith(all(), { kills: [{ ...sinkKill, at: 2_000, over: 2_001 }] })).toContain(
    "nothing was in flight",
  );
});

test("records survive their file; half a record at its end is none", () => {
  const bytes = Buffer.alloc(2 * RECORD_BYTES);
  encodeSinkRecord(bytes, recordOf(4));
  encodeSinkRecord(bytes.subarray(RECORD_BYTES), recordOf(5));
  expect(decodeSinkRecords(bytes)).toEqual([recordOf(4), recordOf(5)]);
  expect(decodeSinkRecords(bytes.subarray(0, -1))).toEqual([recordOf(4)]);
  expect(() => decodeSinkRecords(bytes.subarray(8))).toThrow("no record begins");
});
