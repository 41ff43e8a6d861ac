import { describe, expect, test } from "vitest";
import { nodeOptionEntries, readNodeOptions } from "../../src/definition/node-options.ts";
import type { NodeSettings } from "../../src/definition/shape.ts";
import { DefinitionError } from "../../src/index.ts";

const subject = "stage charge of pipeline orders";
const settings = (options?: unknown) => readNodeOptions("stage", options, subject).settings;

function refusal(options: unknown, kind: "source" | "stage" | "sink" = "stage"): string {
  try {
    readNodeOptions(kind, options, subject);
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    expect(error.code).toBe("MR_BAD_OPTION");
    return error.message;
  }
  return expect.fail("was accepted");
}

const DEFAULTS: NodeSettings = {
  concurrency: { min: 1, max: 1 },
  instances: { min: 1, max: Number.MAX_SAFE_INTEGER },
  retry: { attempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: "full" } },
  timeoutMs: 60_000,
  graceMs: 10_000,
  memoryBytes: 1_073_741_824,
  pacing: { breaker: { share: 0.9, after: 1_000 } },
};

describe("defaults", () => {
  test("are those of the documentation", () => {
    expect(readNodeOptions("stage", undefined, subject)).toEqual({ settings: DEFAULTS });
    expect(readNodeOptions("sink", {}, subject)).toEqual({ settings: DEFAULTS });
    expect(readNodeOptions("source", {}, subject)).toEqual({
      settings: { ...DEFAULTS, instances: { min: 1, max: 1 } },
    });
  });

  test("fill in what a group leaves out", () => {
    expect(settings({ batch: { size: 5 } }).batch).toEqual({ size: 5, withinMs: 100 });
    expect(settings({ retry: { backoff: { factor: 3 } } }).retry).toEqual({
      attempts: 3,
      backoff: { ...DEFAULTS.retry.backoff, factor: 3 },
    });
    expect(settings({ retry: { attempts: undefined } })).toEqual(DEFAULTS);
  });

  test("let the longest wait follow the first", () => {
    expect(settings({ retry: { backoff: { initialMs: "5m" } } }).retry.backoff.maxMs).toBe(300_000);
  });

  test("survive JSON", () => {
    expect(JSON.parse(JSON.stringify(settings()))).toEqual(DEFAULTS);
  });
});

describe("values", () => {
  test("may be written with units", () => {
    const read = settings({
      timeoutMs: "5m",
      graceMs: "200ms",
      resources: { memory: "512MB" },
      batch: { size: 10, withinMs: "1s" },
      retry: { attempts: 1, backoff: { initialMs: "10ms", factor: 1.5, maxMs: "1h", jitter: "none" } },
    });
    expect(read).toMatchObject({
      timeoutMs: 300_000,
      graceMs: 200,
      memoryBytes: 536_870_912,
      batch: { size: 10, withinMs: 1_000 },
      retry: { attempts: 1, backoff: { initialMs: 10, factor: 1.5, maxMs: 3_600_000, jitter: "none" } },
    });
  });

  test("of concurrency are a number, a range or auto", () => {
    expect(settings({ concurrency: 8 }).concurrency).toEqual({ min: 8, max: 8 });
    expect(settings({ concurrency: { min: 2, max: 9 } }).concurrency).toEqual({ min: 2, max: 9 });
    expect(settings({ concurrency: { max: 9 } }).concurrency).toEqual({ min: 1, max: 9 });
    expect(settings({ concurrency: "auto" }).concurrency).toEqual({ min: 1, max: 256 });
  });

  test("of instances are a number or a range with or without an end", () => {
    expect(settings({ instances: 3 }).instances).toEqual({ min: 3, max: 3 });
    expect(settings({ instances: { max: 4 } }).instances).toEqual({ min: 1, max: 4 });
    expect(settings({ instances: { min: 2 } }).instances).toEqual({ min: 2, max: Number.MAX_SAFE_INTEGER });
    expect(readNodeOptions("source", { instances: 1 }, subject).settings.instances).toEqual({
      min: 1,
      max: 1,
    });
  });

  test("that are functions are kept as they are", () => {
    const by = () => 1;
    const unless = () => true;
    const onFailed = () => {};
    const read = readNodeOptions("stage", { batch: { size: 1, by }, retry: { unless }, onFailed }, subject);
    expect(read).toMatchObject({ batchBy: by, unless, onFailed });
  });
});

describe("a bad value is refused with its place, what is expected and what was got", () => {
  test("word for word", () => {
    expect(refusal({ retry: { attempts: 0 } })).toBe(
      "stage charge of pipeline orders: retry.attempts must be a whole number of at least 1, got 0 (number); " +
        "leave it out for 3, or give it such a value",
    );
    expect(refusal({ timeoutMs: "5 minutes" })).toBe(
      'stage charge of pipeline orders: timeoutMs must be milliseconds or a text like "200ms", "30s" or "5m", ' +
        'from 1 ms to 24 days, got "5 minutes"; leave it out for "60s", or give it such a value',
    );
    expect(refusal({ batch: { withinMs: 5 } })).toBe(
      "stage charge of pipeline orders: batch.size must be a whole number of at least 1, got nothing; " +
        "give it such a value",
    );
  });

  test.each([
    ["its options", null],
    ["its options", 7],
    ["its options", ["a"]],
    ["its options", () => {}],
    ["batch", { batch: 10 }],
    ["batch", { batch: null }],
    ["batch.size", { batch: { size: 1.5 } }],
    ["batch.size", { batch: { size: "10" } }],
    ["batch.withinMs", { batch: { size: 1, withinMs: -1 } }],
    ["batch.by", { batch: { size: 1, by: "key" } }],
    ["concurrency", { concurrency: 0 }],
    ["concurrency", { concurrency: "many" }],
    ["concurrency", { concurrency: null }],
    ["concurrency.max", { concurrency: { min: 2 } }],
    ["concurrency.min", { concurrency: { min: 0, max: 2 } }],
    ["concurrency", { concurrency: { min: 3, max: 2 } }],
    ["instances", { instances: "auto" }],
    ["instances", { instances: 1.5 }],
    ["instances", { instances: { min: 3, max: 2 } }],
    ["retry", { retry: 3 }],
    ["retry.attempts", { retry: { attempts: Number.NaN } }],
    ["retry.unless", { retry: { unless: true } }],
    ["retry.backoff", { retry: { backoff: "1s" } }],
    ["retry.backoff.factor", { retry: { backoff: { factor: 0.5 } } }],
    ["retry.backoff.factor", { retry: { backoff: { factor: Number.POSITIVE_INFINITY } } }],
    ["retry.backoff.jitter", { retry: { backoff: { jitter: true } } }],
    ["retry.backoff", { retry: { backoff: { initialMs: 10, maxMs: 5 } } }],
    ["timeoutMs", { timeoutMs: 0 }],
    ["timeoutMs", { timeoutMs: "25d" }],
    ["timeoutMs", { timeoutMs: Number.POSITIVE_INFINITY }],
    ["graceMs", { graceMs: -1 }],
    ["resources", { resources: "1GB" }],
    ["resources.memory", { resources: { memory: 512 } }],
    ["resources.memory", { resources: { memory: "512" } }],
    ["onFailed", { onFailed: "log" }],
  ])("%s of %o", (path, options) => {
    expect(refusal(options)).toMatch(new RegExp(`^${subject}: ${path} must be .+, got .+; .+`));
  });

  test("an array of options is no batch", () => {
    expect(refusal({ batch: [10] })).toContain(
      "batch must be an object of size, withinMs, by, got [10]; leave it out",
    );
  });
});

describe("order and priority", () => {
  const by = (): string => "";

  test("have the settings that the streams go by, and none where they are not asked for", () => {
    expect(readNodeOptions("stage", { orderBy: by }, subject)).toMatchObject({
      settings: { order: { partitions: 32, onKeyFailure: "hold" } },
      orderBy: by,
    });
    const passing = { orderBy: by, partitions: 4, onKeyFailure: "pass" };
    expect(readNodeOptions("sink", passing, subject).settings.order).toEqual({
      partitions: 4,
      onKeyFailure: "pass",
    });
    expect(readNodeOptions("stage", { priority: "high" }, subject).priority).toBe("high");
    expect(readNodeOptions("stage", {}, subject).settings).not.toHaveProperty("order");
  });

  test.each([
    ["orderBy must be", { orderBy: "key" }],
    ["partitions must be a whole number from 1 to 1024, got 0", { orderBy: by, partitions: 0 }],
    ["partitions must be a whole number from 1 to 1024, got 1025", { orderBy: by, partitions: 1025 }],
    ["onKeyFailure must be", { orderBy: by, onKeyFailure: "skip" }],
    ["priority must be", { priority: "urgent" }],
    ["partitions is 4, but there is no orderBy", { partitions: 4 }],
    ['onKeyFailure is "pass", but there is no orderBy', { onKeyFailure: "pass" }],
    ["it has both orderBy and priority, and an item that overtakes", { orderBy: by, priority: "high" }],
  ])("are refused: %s", (words, options) => {
    expect(refusal(options)).toContain(words);
  });
});

describe("an unknown option is refused with the known ones", () => {
  test("of a stage, at any depth", () => {
    expect(refusal({ concurency: 1 })).toBe(
      `${subject}: there is no option concurency; the options here are ` +
        "batch, concurrency, instances, retry, timeoutMs, graceMs, resources, engine, orderBy, partitions, onKeyFailure, " +
        "priority, dedupe, rate, breaker, capacity, schema, onFailed",
    );
    expect(refusal({ retry: { backoff: { max: 1 } } })).toBe(
      `${subject}: there is no option retry.backoff.max; the options here are initialMs, factor, maxMs, jitter`,
    );
    expect(refusal({ capacities: {} }, "sink")).toContain("there is no option capacities");
    expect(refusal({ toString: 1 })).toContain("there is no option toString");
  });

  test("of a source, which takes fewer", () => {
    for (const option of ["batch", "concurrency", "timeoutMs", "graceMs", "onFailed"]) {
      expect(refusal({ [option]: 1 }, "source")).toContain(
        `there is no option ${option}; the options here are instances, retry, resources`,
      );
    }
    expect(refusal({ instances: 2 }, "source")).toContain("a source runs in exactly one instance, got 2");
  });
});

describe("the table documents every option", () => {
  test.each(["source", "stage"] as const)("of a %s, with defaults that hold", (kind) => {
    const entries = nodeOptionEntries(kind);
    for (const { path, expects, standard, about } of entries) {
      expect(expects, path).not.toBe("");
      expect(about, path).toMatch(/\.$/);
      if (standard === undefined) continue;
      const options = path.split(".").reduceRight((value: unknown, name) => ({ [name]: value }), standard);
      const needed = path.startsWith("batch.") ? { batch: { size: 1, withinMs: standard } } : options;
      expect(readNodeOptions(kind, needed, subject).settings, path).toMatchObject({ timeoutMs: 60_000 });
    }
    expect(entries.map(({ path }) => path)).toContain("retry.backoff.initialMs");
  });

  test("and names what must be given", () => {
    const needed = nodeOptionEntries("stage").filter(({ required }) => required);
    expect(needed.map(({ path }) => path)).toEqual([
      "batch.size",
      "dedupe.windowMs",
      "rate.limit",
      "rate.perMs",
    ]);
  });
});
