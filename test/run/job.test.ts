import { JobFailedError, job, run, start, TerminalError, task } from "millrace";
import { pack } from "msgpackr/pack";
import { expect, test } from "vitest";
import { DEFINITION } from "../../src/definition/shape.ts";
import { nodeEnv } from "../../src/env/node.ts";
import { InProcessRun } from "../../src/run/in-process-run.ts";

const quick = { attempts: 2, backoff: { initialMs: 1, jitter: "none" } } as const;

const reverse = job("reverse-strings", {
  input: "hello\nworld",
  *split(input: string) {
    yield* input.split("\n");
  },
  process: (line: string) => [...line].reverse().join(""),
  combine: (lines) => lines.join("\n"),
});

test("a job of the three functions, in this process", async () => {
  expect((await run(reverse)).result).toBe("olleh\ndlrow");
  const { result, status, stages } = await run(reverse, { input: "a b\nc d\n" });
  expect(result).toBe("b a\nd c\n");
  expect(status).toBe("completed");
  expect(stages.process).toMatchObject({ accepted: 3, completed: 3, dead: 0 });
});

test("only process is required: lines and elements are tasks, the result is the list of results", async () => {
  const lengths = job("lengths", { process: (line: string) => line.length });
  expect((await run(lengths, { input: "one\nthree\r\n\nfour\n" })).result).toEqual([3, 5, 0, 4]);
  const doubles = job("doubles", { process: async (n: number) => n * 2, concurrency: 4 });
  expect((await run(doubles, { input: [3, 1, 3] })).result).toEqual([6, 2, 6]);
  expect((await run(doubles, { input: new Set([5]) })).result).toEqual([10]);
  expect((await run(doubles, { input: [] })).result).toEqual([]);
  async function* later(): AsyncGenerator<number> {
    for (let n = 0; n < 5_000; n++) yield n;
  }
  expect((await run(doubles, { input: later() })).result).toEqual(
    Array.from({ length: 5_000 }, (_, n) => n * 2),
  );
  await expect(run(doubles, { input: 5 as never })).rejects.toThrow(/its input is 5 \(number\)/);
  await expect(run(doubles)).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringMatching(/^job doubles: it has no input; give one/),
  });
});

test("results keep the order of the split, whatever order they come in; a fold sees every one once", async () => {
  const seen: number[] = [];
  const shuffled = job("shuffled", {
    *split(n: number) {
      for (let i = 0; i < n; i++) yield i;
    },
    process: async (i: number) => {
      await new Promise((resolve) => setTimeout(resolve, (i * 7919) % 13));
      return `r${i}`;
    },
    concurrency: 16,
    combine: {
      init: [] as string[],
      add: (all, result, index) => {
        seen.push(index);
        all.push(result);
      },
      finish: async (all) => all,
    },
  });
  const { result } = await run(shuffled, { input: 300 });
  expect(result).toEqual(Array.from({ length: 300 }, (_, i) => `r${i}`));
  expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

test("an unordered fold takes results as they come, with their positions", async () => {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const sum = job("sum", {
    process: async (n: number) => {
      if (n === 0) await gate;
      return n;
    },
    concurrency: 2,
    combine: {
      init: () => ({ order: [] as number[] }),
      add: async (acc, result, index) => {
        expect(result).toBe(index);
        acc.order.push(index);
        // The first task ends when all others have been folded.
        if (acc.order.length === 4) open();
        return acc;
      },
      finish: ({ order }) => order,
      ordered: false,
    },
  });
  const { result = [] } = await run(sum, { input: [0, 1, 2, 3, 4] });
  expect(result.at(-1)).toBe(0);
  expect([...result].sort()).toEqual([0, 1, 2, 3, 4]);
});

test("data of every kind travels: text, bytes, numbers, lists, maps, nothing", async () => {
  const values = [
    "text",
    new Uint8Array([1, 2, 255]),
    1,
    -1.5,
    12n,
    true,
    null,
    undefined,
    [1, [2]],
    { a: { b: 1 } },
    new Map([["k", { v: 1 }]]),
    new Set([1, 2]),
    new Date(0),
    new Float64Array([1.5]),
  ];
  const echo = job("echo", { process: (value: unknown) => value });
  const { result } = await run(echo, { input: values });
  expect(result?.map((value) => (Buffer.isBuffer(value) ? new Uint8Array(value) : value))).toEqual(values);
});

test("equal inputs are tasks of their own", async () => {
  let calls = 0;
  const count = job("count", {
    process: (text: string) => {
      calls++;
      return text;
    },
  });
  expect((await run(count, { input: "a\na\nb\nab\nc\na\nbc" })).result).toEqual([
    "a",
    "a",
    "b",
    "ab",
    "c",
    "a",
    "bc",
  ]);
  expect(calls).toBe(7);
});

test("a task that fails for good fails the job at once; the error has the task, its input and what was thrown", async () => {
  let calls = 0;
  const failing = job("failing", {
    process: (n: number) => {
      if (n !== 3) return n;
      calls++;
      throw new RangeError("three");
    },
    retry: quick,
  });
  const error = await run(failing, { input: [1, 2, 3, 4] }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(JobFailedError);
  expect(error).toMatchObject({
    code: "MR_JOB_FAILED",
    position: 2,
    input: 3,
    error: { name: "RangeError", message: "three" },
  });
  expect((error as JobFailedError).task).toEqual({ position: 2, input: (error as JobFailedError).input });
  expect((error as JobFailedError).message).toMatch(/task 2 has failed: RangeError: three/);
  expect((error as JobFailedError).error?.stack).toContain("job.test.ts");
  expect(calls).toBe(2);

  const handle = await start(job("ending", { process: () => Promise.reject(new TerminalError("no")) }), {
    input: ["a"],
  });
  await expect(handle.result()).rejects.toMatchObject({ code: "MR_JOB_FAILED", position: 0, input: "a" });
  expect((await handle.done).failedTask).toMatchObject({ position: 0, error: { name: "TerminalError" } });
});

test("a result that cannot be carried is named by its own path, not by that of what it travels in", async () => {
  const careless = job("careless", {
    process: () => ({ rows: [{ parse: () => 1 }] }) as never,
    retry: { attempts: 1 },
  });
  await expect(run(careless, { input: ["a"] })).rejects.toMatchObject({
    error: {
      code: "MR_NOT_ENCODABLE",
      message: expect.stringMatching(
        /^item \{"rows":\[\{\}\]\}: a function \(parse\) at \$\.rows\[0\]\.parse cannot/,
      ),
    },
  });
});

test("with skip a failed task is a dead letter, and the result lacks it, in a list and in a fold", async () => {
  const options = {
    process: (n: number) => {
      if (n % 3 === 0) throw new Error("three");
      return n;
    },
    retry: quick,
    onTaskFailure: "skip",
  } as const;
  const { result, stages } = await run(job("skip-list", options), { input: [0, 1, 2, 3, 4, 5] });
  expect(result).toEqual([1, 2, 4, 5]);
  expect(stages.process).toMatchObject({ accepted: 6, completed: 4, dead: 2 });
  for (const ordered of [true, false]) {
    const fold = job("skip-fold", {
      ...options,
      combine: {
        init: "",
        add: (acc: string, n: number, index: number) => `${acc} ${index}:${n}`,
        finish: (acc: string) => acc,
        ordered,
      },
    });
    const folded = (await run(fold, { input: [0, 1, 2, 3, 4, 5] })).result ?? "";
    expect(folded.trim().split(" ").sort()).toEqual(["1:1", "2:2", "4:4", "5:5"]);
  }
});

test("a skipped task that is replayed while the job runs takes its place in the result", async () => {
  for (const combine of [undefined, true, false]) {
    let isMended = false;
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const fold = {
      init: () => [] as string[],
      add: (acc: string[], line: string) => void acc.push(line),
      finish: (acc: string[]) => acc,
      ordered: combine === true,
    };
    const options = {
      process: async (line: string) => {
        if (line === "b" && !isMended) throw new Error("b");
        if (line === "d") await gate;
        return line;
      },
      concurrency: 4,
      retry: { attempts: 1 },
      onTaskFailure: "skip",
    } as const;
    const letters = combine === undefined ? job("live", options) : job("live", { ...options, combine: fold });
    const handle = await start(letters, { input: ["a", "b", "c", "d"] });
    await expect.poll(() => handle.dead.count(), { timeout: 20_000 }).toBe(1);
    isMended = true;
    await handle.dead.replay({});
    await expect.poll(async () => (await handle.status()).stages.process?.completed).toBe(3);
    go();
    expect([...((await handle.result()) as string[])].sort()).toEqual(["a", "b", "c", "d"]);
  }
});

test("what combine throws, what cannot be carried and what is no result fail the job, each with its code", async () => {
  const process = (n: number): number => n;
  const input = [1, 2];
  const cases: [unknown, string, RegExp][] = [
    [
      () => {
        throw new TypeError("bad list");
      },
      "MR_COMBINE_FAILED",
      /combine threw: TypeError: bad list/,
    ],
    [() => () => 1, "MR_COMBINE_FAILED", /cannot be stored.*function/],
    [
      {
        init: 0,
        add: () => {
          throw new Error("bad add");
        },
        finish: () => 1,
      },
      "MR_COMBINE_FAILED",
      /add threw at the result of task 0: Error: bad add/,
    ],
    [
      { init: 0, add: () => 1, finish: () => Promise.reject(new Error("bad end")) },
      "MR_COMBINE_FAILED",
      /finish threw: Error: bad end/,
    ],
    [
      {
        init: () => {
          throw new Error("bad begin");
        },
        add: () => 1,
        finish: () => 1,
      },
      "MR_COMBINE_FAILED",
      /init threw: Error: bad begin/,
    ],
    [
      { init: 0, add: () => ({ f: () => 1 }), finish: () => 1 },
      "MR_COMBINE_FAILED",
      /what combine.add gave back cannot be stored.*\$\.f/,
    ],
  ];
  for (const [combine, code, message] of cases) {
    const failing = job("combines", { process, combine: combine as never });
    const error = await run(failing, { input }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "JobFailedError", code, position: undefined });
    expect((error as Error).message).toMatch(message);
  }
  const hanging = job("hanging", { process, combine: () => new Promise(() => undefined), timeoutMs: 20 });
  await expect(run(hanging, { input })).rejects.toMatchObject({ code: "MR_COMBINE_FAILED" });
  const symbols = job("symbols", {
    *split() {
      yield 1;
      yield { deep: [Symbol("s")] };
    },
    process: () => 1,
  });
  const error = await run(symbols).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "MR_NOT_ENCODABLE" });
  expect((error as Error).message).toMatch(/task 1: .*\$\.deep\[0\]/);
  const several = job("several", {
    *process() {
      yield 1;
    },
    retry: quick,
  });
  await expect(run(several, { input: ["a"] })).rejects.toThrow(/a task has one result/);
  const throwing = job("throwing", {
    *split() {
      yield 1;
      throw new Error("half way");
    },
    process: () => 1,
  });
  await expect(run(throwing)).rejects.toMatchObject({ code: "MR_SOURCE_FAILED" });
});

test("a split that yields other tasks when it is called again is found out", async () => {
  let life = 0;
  const fickle = job("fickle", {
    async *split() {
      const first = ++life === 1;
      for (let i = 0; i < 1_000; i++) yield { id: first || i !== 500 ? i : -i };
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (first) throw new Error("again");
    },
    process: ({ id }) => id,
  });
  const error = await run(fickle).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "MR_SPLIT_NOT_DETERMINISTIC" });
  expect((error as Error).message).toMatch(/at position 1000/);
  life = 0;
  let calls = 0;
  const shrinking = job("shrinking", {
    async *split() {
      const first = ++life === 1;
      for (let i = 0; i < (first ? 100 : 90); i++) yield i;
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (first) throw new Error("again");
    },
    process: () => calls++,
  });
  await expect(run(shrinking)).rejects.toThrow(/it ended after 90 tasks, and had yielded 100 before/);
  expect(calls).toBe(100);
});

test("a split that throws now and then goes on where it was: every task once", async () => {
  let life = 0;
  const calls: number[] = [];
  const resumed = job("resumed", {
    async *split() {
      life++;
      for (let i = 0; i < 300; i++) {
        yield task({ i }, { cost: 50 });
        if (i === life * 90) {
          await new Promise((resolve) => setTimeout(resolve, 30));
          throw new Error(`life ${life}`);
        }
      }
    },
    process: ({ i }) => {
      calls.push(i);
      return i;
    },
  });
  expect((await run(resumed)).result).toEqual(Array.from({ length: 300 }, (_, i) => i));
  expect(calls).toHaveLength(300);
  expect(life).toBe(4);
});

test("a handle tells how far it is, gives the result and cancels", async () => {
  const slow = job("slow", {
    process: async (n: number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return n;
    },
  });
  const handle = await start(slow, { input: Array.from({ length: 100 }, (_, n) => n) });
  const seen: number[] = [];
  let last: { done: number; total: number; failed: number; running: number } | undefined;
  for await (const progress of handle.progress()) {
    seen.push(progress.done);
    last = progress;
  }
  expect(last).toEqual({ done: 100, total: 100, failed: 0, running: 0 });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(await handle.result()).toHaveLength(100);

  const endless = job("endless", {
    async *split() {
      for (let i = 0; ; i++) yield i;
    },
    process: (i: number) => i,
    combine: { init: 0, add: (acc, n) => acc + n, finish: (acc) => acc },
  });
  const other = await start(endless);
  for await (const { done } of other.progress()) if (done > 1_000) break;
  await other.cancel();
  expect((await other.done).status).toBe("stopped");
  await expect(other.result()).rejects.toMatchObject({ code: "MR_JOB_STOPPED" });
});

test("bad options of a job are refused in clear words", () => {
  const process = (n: number): number => n;
  const bad =
    (options: unknown): (() => unknown) =>
    () =>
      job("bad", options as never);
  expect(bad({})).toThrow(/job bad: there is no process; give process: \(task\) => result/);
  expect(bad(undefined)).toThrow(/its options must be an object/);
  expect(bad({ process: 5 })).toThrow(/process must be a function/);
  expect(bad({ process, batch: { size: 2 } })).toThrow(
    /there is no option batch; the options here are input,/,
  );
  expect(bad({ process, reduce: 1 })).toThrow(/there is no option reduce/);
  expect(bad({ process, onTaskFailure: "ignore" })).toThrow(/onTaskFailure must be "fail" or "skip"/);
  expect(bad({ process, inputAs: "words" })).toThrow(/inputAs must be "lines"/);
  expect(bad({ process, inputAs: "lines" })).toThrow(/inputAs is for a split of its own/);
  expect(bad({ process, combine: { init: 0 } })).toThrow(
    /combine must be a function of all results or \{ init, add, finish \}/,
  );
  expect(bad({ process, combine: { add: process, order: 1 } })).toThrow(
    /combine of job bad: there is no option order/,
  );
  expect(bad({ process, retry: { attempts: 0 } })).toThrow(/retry.attempts/);
  expect(() => job("bad name", { process })).toThrow(/is not a name/);
});

test("results that wait for the first task stay in their pages, and are folded in order when it is done", async () => {
  const tasks = 20_000;
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  let done = 0;
  for (const combine of [
    undefined,
    {
      init: () => [] as string[],
      add: (all: string[], text: string) => void all.push(text),
      finish: (all: string[]) => all,
    },
  ]) {
    const late = job("late", {
      *split() {
        for (let i = 0; i < tasks; i++) yield i;
      },
      process: async (i: number) => {
        if (++done === tasks) open();
        if (i === 0) await gate;
        return `${i} ${"x".repeat(i % 50)}`;
      },
      concurrency: 4,
      ...(combine && { combine }),
    });
    const { result } = await run(late, { instances: { process: 3 } });
    expect(result).toEqual(Array.from({ length: tasks }, (_, i) => `${i} ${"x".repeat(i % 50)}`));
  }
});

test("tasks that got lost with a damaged frame fail the job; it does not wait for them", async () => {
  const lossy = job("lossy", { process: (n: number) => n });
  const definition = lossy[DEFINITION]();
  const lost = await InProcessRun.start({
    env: nodeEnv,
    definition,
    params: {},
    input: [1, 2, 3],
    instances: new Map(),
    onMessage: () => undefined,
    probe: {
      definitionOf: () => definition,
      sockets: nodeEnv.timers,
      onEngine: (engine) => {
        const transact = engine.transact.bind(engine);
        engine.transact = (given) =>
          transact({ ...given, appends: given.appends.filter(({ stream }) => stream !== "process") });
      },
    },
  });
  const { status, error } = await lost.result();
  expect(status).toBe("failed");
  expect(error).toMatchObject({
    code: "MR_JOB_FAILED",
    message: expect.stringMatching(/some have no result/),
  });
});

test("functions of the user's that pack with the same msgpackr leave the tasks as they are", async () => {
  const packing = job("packing", {
    *split(): Generator<[number, string]> {
      for (let n = 0; n < 20; n++) yield [n, `task-${n}`];
    },
    process: (task) => task,
    combine: (results) => [...results],
    orderBy: ([n]) => {
      pack([9, "WRONG-"]);
      pack({ longer: "x".repeat(n * 50) });
      return `k${n % 3}`;
    },
  });
  const { result } = await run(packing);
  expect(result).toEqual(Array.from({ length: 20 }, (_, n) => [n, `task-${n}`]));
});
