import { expect, test } from "vitest";
import { Setbacks } from "../../src/coordinator/setbacks.ts";
import type { NodeShape } from "../../src/definition/shape.ts";

const node = { name: "s", kind: "stage", settings: { retry: { attempts: 3 } } } as unknown as NodeShape;
const setback = (cause: string, settled = 0, progressed = false) => ({
  stage: "s",
  cause,
  error: undefined,
  progressed,
  settled,
  what: "exit code 1",
});

test("a source fails the run when it throws as often as it has attempts, in a row", () => {
  const setbacks = new Setbacks("j");
  expect(setbacks.add(node, setback("source-failed"))).toBeUndefined();
  expect(setbacks.add(node, setback("source-failed"))).toBeUndefined();
  expect(setbacks.add(node, setback("source-failed", 0, true))).toBeUndefined();
  expect(setbacks.add(node, setback("source-failed"))).toBeUndefined();
  expect(setbacks.add(node, setback("source-failed"))).toMatchObject({ code: "MR_SOURCE_FAILED" });
});

test("a setup fails the run the fifth time in a row; one that succeeds begins a new row", () => {
  const setbacks = new Setbacks("j");
  for (let i = 0; i < 4; i++) expect(setbacks.add(node, setback("setup-failed"))).toBeUndefined();
  setbacks.started("s");
  for (let i = 0; i < 4; i++) expect(setbacks.add(node, setback("setup-failed"))).toBeUndefined();
  expect(setbacks.add(node, setback("setup-failed"))).toMatchObject({ code: "MR_SETUP_FAILED" });
});

test("deaths fail the run only when nothing is settled between them", () => {
  const setbacks = new Setbacks("j");
  for (let i = 0; i < 100; i++) expect(setbacks.add(node, setback("crashed", i))).toBeUndefined();
  for (let i = 0; i < 8; i++) expect(setbacks.add(node, setback("crashed", 99))).toBeUndefined();
  expect(setbacks.add(node, setback("crashed", 99))).toMatchObject({ code: "MR_INSTANCE_FAILING" });
});

test("a job's split that throws is called by the name that its author gave it", () => {
  const split = { name: "split", kind: "source", part: "split", settings: { retry: { attempts: 1 } } };
  expect(new Setbacks("j").add(split as unknown as NodeShape, setback("source-failed"))).toEqual({
    code: "MR_SOURCE_FAILED",
    message: "split of job j: it threw 1 times in a row; last: exit code 1",
  });
});

test("what ended a source is told with its code: a file that cannot be read by its own, others beside theirs", () => {
  const source = {
    name: "feed",
    kind: "source",
    settings: { retry: { attempts: 1 } },
  } as unknown as NodeShape;
  const failed = (code: string | undefined) =>
    new Setbacks("j").add(source, {
      ...setback("source-failed"),
      error: { name: "StageError", message: "big.txt:1: too long", stack: "", ...(code && { code }) },
    });
  expect(failed("MR_INPUT_UNREADABLE")).toEqual({
    code: "MR_INPUT_UNREADABLE",
    message:
      "source feed: it threw 1 times in a row; last: StageError MR_INPUT_UNREADABLE: big.txt:1: too long",
  });
  expect(failed("MR_NOT_ENCODABLE")).toMatchObject({
    code: "MR_SOURCE_FAILED",
    message: expect.stringContaining("last: StageError MR_NOT_ENCODABLE: big.txt:1"),
  });
  expect(failed("ENOENT")?.message).toContain("last: StageError: big.txt:1");
});
