import { job } from "millrace";
import { simulate } from "millrace/testing";
import { expect, test } from "vitest";

const reverse = job("reverse", {
  input: "hello\nworld",
  *split(input: string) {
    yield* input.split("\n");
  },
  process: async (line: string) => [...line].reverse().join(""),
  combine: (lines) => lines.join("\n"),
});

test("a job is simulated with its own input, or with another one", async () => {
  const own = await simulate(reverse);
  const other = await simulate(reverse, { input: "one\ntwo\nthree", instances: { process: 3 } });
  const result: string | undefined = other.result;

  expect(own.result).toBe("olleh\ndlrow");
  expect(result).toBe("eno\nowt\neerht");
  expect([...(other.received.process ?? [])].sort()).toEqual(["one", "three", "two"]);
  expect([...(other.outputs.process ?? [])].sort()).toEqual(["eerht", "eno", "owt"]);
  expect(other.outputs.split).toEqual(["one", "two", "three"]);
  expect(other.stages.process).toMatchObject({ accepted: 3, completed: 3 });
  expect(await simulate(reverse, { input: "one\ntwo\nthree", instances: { process: 3 } })).toEqual(other);
});

test("whatever dies, a job's result is the same, in the order of the split", async () => {
  const input = Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n");
  const expected = (await simulate(reverse, { input })).result;
  for (let seed = 1; seed <= 20; seed++) {
    const { result, status } = await simulate(reverse, {
      input,
      seed,
      instances: { process: 3 },
      faults: { redeliver: { process: 0.2 }, killAt: { process: [4, { item: 11, after: true }], split: 9 } },
    });
    expect({ seed, status, result }).toEqual({ seed, status: "completed", result: expected });
  }
});

test("a task that fails for good fails the job, and is told", async () => {
  const picky = job("picky", {
    process: (n: number) => {
      if (n === 3) throw new Error("no threes");
      return n;
    },
  });
  const failed = await simulate(picky, { input: [1, 2, 3, 4] });

  expect(failed.status).toBe("failed");
  expect(failed.failedTask).toMatchObject({ position: 2, input: 3, error: { message: "no threes" } });
  expect(failed.retries.map(({ stage, attempt }) => [stage, attempt])).toEqual([
    ["process", 1],
    ["process", 2],
  ]);
});

test("an input is for jobs", async () => {
  const { pipeline } = await import("millrace");
  const p = pipeline("no-job");
  p.source("feed", () => [1]).to(p.sink("out", (_: number) => undefined));
  await expect(simulate(p, { input: 1 } as never)).rejects.toThrow("input: pipeline no-job takes none");
});
