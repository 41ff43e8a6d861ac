import { describe, expect, test } from "vitest";
import { z } from "zod";
import { checkGraph } from "../../src/definition/check-graph.ts";
import { definitionOf } from "../../src/definition/definition-of.ts";
import { NODE } from "../../src/definition/node.ts";
import { pipelineOptionEntries } from "../../src/definition/pipeline-options.ts";
import type { Definition } from "../../src/definition/shape.ts";
import { shapeOf } from "../../src/definition/shape-of.ts";
import { type Context, DefinitionError, type ErrorCode, pipeline } from "../../src/index.ts";

interface Order {
  readonly id: string;
  readonly total: number;
}

async function* readFeed(): AsyncGenerator<string> {
  yield '{"id":"a","total":1}';
}
async function chargeCard(order: Order, _ctx: Context): Promise<Order> {
  return order;
}
const scoreRisk = async (order: Order): Promise<Order> => order;
const writeRows = async (rows: Order[]): Promise<number> => rows.length;

function orders() {
  const p = pipeline("orders");

  const feed = p.source("feed", readFeed);
  const parse = p.stage("parse", (line: string): Order => JSON.parse(line));
  const charge = p.stage("charge", chargeCard, { concurrency: 8, retry: { attempts: 5 } });
  const review = p.stage("review", scoreRisk);
  const ledger = p.sink("ledger", writeRows, { batch: { size: 500, withinMs: 200 } });

  feed.to(parse);
  parse.to(charge, { when: (o) => o.total < 1_000 });
  parse.to(review, { when: (o) => o.total >= 1_000 });
  review.to(charge);
  charge.to(ledger);

  return p;
}

const defined = (value: unknown) => definitionOf(value) as Definition;

function refusal(code: ErrorCode, define: () => unknown): string {
  try {
    define();
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    expect(error.code).toBe(code);
    return error.message;
  }
  return expect.fail("was accepted");
}

describe("a pipeline", () => {
  test("is defined by what was written", () => {
    const definition = defined(orders());
    checkGraph(definition);
    expect(definition).toMatchObject({ name: "orders", durability: "disk" });
    expect([...definition.nodes.values()].map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      "source feed",
      "stage parse",
      "stage charge",
      "stage review",
      "sink ledger",
    ]);
    expect(definition.nodes.get("charge")?.handler.run).toBe(chargeCard);
    expect(definition.nodes.get("charge")?.settings).toMatchObject({
      concurrency: { min: 8, max: 8 },
      retry: { attempts: 5 },
    });
    const [, cheap, dear] = definition.edges;
    expect(cheap?.when?.({ total: 1 } as never)).toBe(true);
    expect(dear?.when?.({ total: 1 } as never)).toBe(false);
  });

  test("has a shape that survives JSON", () => {
    const shape = shapeOf(defined(orders()));
    expect(JSON.parse(JSON.stringify(shape))).toEqual(shape);
    expect(shape.nodes.map(({ name }) => name)).toEqual(["feed", "parse", "charge", "review", "ledger"]);
    expect(shape.nodes[4]?.settings.batch).toEqual({ size: 500, withinMs: 200 });
    expect(shape.edges).toEqual([
      { from: "feed", to: "parse", conditional: false },
      { from: "parse", to: "charge", conditional: true },
      { from: "parse", to: "review", conditional: true },
      { from: "review", to: "charge", conditional: false },
      { from: "charge", to: "ledger", conditional: false },
    ]);
  });

  test("reads as a straight line", () => {
    const p = pipeline("line");
    const sink = p.sink("out", (x: string) => x);
    expect(
      p
        .source("in", () => ["a"])
        .to(p.stage("same", (x: string) => x))
        .to(sink),
    ).toBe(sink);
    expect(defined(p).edges.map(({ from, to }) => `${from}>${to}`)).toEqual(["in>same", "same>out"]);
  });

  test("gives definitions that later additions do not change", () => {
    const p = pipeline("growing");
    const feed = p.source("feed", () => ["a"]);
    const before = defined(p);
    feed.to(p.sink("out", (x: string) => x));
    expect([before.nodes.size, before.edges.length]).toEqual([1, 0]);
    expect([defined(p).nodes.size, defined(p).edges.length]).toEqual([2, 1]);
  });

  test("keeps its options", () => {
    const params = z.object({ rate: z.number() });
    const definition = defined(
      pipeline("priced", { params, module: import.meta.url, durability: "process" }),
    );
    expect(definition).toMatchObject({ module: import.meta.url, durability: "process" });
    expect(definition.params).toBe(params);
    expect(shapeOf(definition)).toEqual({ name: "priced", nodes: [], edges: [], durability: "process" });
  });

  test("is found by its mark, whichever copy of the package made it", () => {
    const definition = defined(orders());
    expect(definitionOf({ [Symbol.for("millrace.definition")]: () => definition })).toBe(definition);
    for (const other of [
      undefined,
      null,
      7,
      "orders",
      {},
      () => {},
      definition,
      { [Symbol.for("millrace.definition")]: 1 },
    ]) {
      expect(definitionOf(other)).toBeUndefined();
    }
  });
});

describe("a handler", () => {
  test("keeps its three functions", () => {
    const setup = () => 1;
    const teardown = () => {};
    const p = pipeline("orders");
    p.stage("parse", { setup, run: (x: string) => x, teardown });
    const { handler } = defined(p).nodes.get("parse") ?? {};
    expect(handler?.setup?.({} as never)).toBe(1);
    expect(handler?.run("a" as never, {} as never)).toBe("a");
    expect(handler?.teardown?.(1 as never)).toBeUndefined();
  });

  test("may be an instance of a class", () => {
    class Prefix {
      readonly #text: string;
      constructor(text: string) {
        this.#text = text;
      }
      run(x: string): string {
        return this.#text + x;
      }
    }
    const p = pipeline("orders");
    p.stage("prefix", new Prefix("> "));
    const { handler } = defined(p).nodes.get("prefix") ?? {};
    expect(handler?.run("a" as never, {} as never)).toBe("> a");
    expect(handler).not.toHaveProperty("setup");
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["what a function returns", [1, 2]],
    ["an object without run", { setup: () => 1 }],
    ["a run that is none", { run: "x" }],
    ["a setup that is none", { run: () => {}, setup: 1 }],
    ["a teardown that is none", { run: () => {}, teardown: null }],
  ])("is not %s", (_, work) => {
    const message = refusal("MR_BAD_OPTION", () => pipeline("orders").stage("parse", work as never));
    expect(message).toMatch(/^stage parse of pipeline orders: .+ must be a function.*, got .+; .+/);
  });
});

describe("names", () => {
  test.each([["a"], ["7"], ["A-b_c.9"], ["x".repeat(64)]])("may be %s", (name) => {
    const p = pipeline(name);
    p.source(name, () => [1]);
    expect(defined(p).nodes.has(name)).toBe(true);
  });

  test.each([
    [""],
    ["-a"],
    [".a"],
    ["_a"],
    ["a b"],
    ["a/b"],
    ["größe"],
    ["a\n"],
    ["x".repeat(65)],
    [7],
    [undefined],
  ])("may not be %j", (name) => {
    expect(refusal("MR_BAD_NAME", () => pipeline(name as string))).toMatch(
      /^pipeline: .+ is not a name; use /,
    );
    const node = refusal("MR_BAD_NAME", () => pipeline("orders").sink(name as string, () => {}));
    expect(node).toMatch(/^sink of pipeline orders: .+ is not a name; use letters/);
  });

  test("are given once, across all kinds", () => {
    const p = pipeline("orders");
    p.source("feed", () => [1]);
    expect(refusal("MR_DUPLICATE_NAME", () => p.sink("feed", () => {}))).toBe(
      "sink feed of pipeline orders: there is a source of that name already; give every node a name of its own",
    );
  });

  test("of a refused node stay free", () => {
    const p = pipeline("orders");
    refusal("MR_BAD_OPTION", () => p.sink("out", () => {}, { timeoutMs: 0 }));
    p.sink("out", () => {});
    expect(defined(p).nodes.size).toBe(1);
  });
});

describe("an edge", () => {
  test("is made once", () => {
    const p = pipeline("orders");
    const feed = p.source("feed", () => ["a"]);
    const out = p.sink("out", (x: string) => x);
    feed.to(out, { when: (x) => x === "a" });
    expect(refusal("MR_BAD_EDGE", () => feed.to(out))).toMatch(
      /^edge feed -> out of pipeline orders: it is there already; make it one edge/,
    );
    expect(defined(p).edges).toHaveLength(1);
  });

  test("stays within its pipeline", () => {
    const feed = pipeline("orders").source("feed", () => ["a"]);
    const out = pipeline("returns").sink("out", (x: string) => x);
    expect(refusal("MR_BAD_EDGE", () => feed.to(out))).toBe(
      "feed.to() of pipeline orders: out belongs to another pipeline, returns; join nodes of one pipeline",
    );
  });

  test("stays within its pipeline, though the other has the same name", () => {
    const feed = pipeline("orders").source("feed", () => ["a"]);
    const out = pipeline("orders").sink("out", (x: string) => x);
    refusal("MR_BAD_EDGE", () => feed.to(out));
  });

  test("leads to a stage or sink", () => {
    const p = pipeline("orders");
    const feed = p.source("feed", () => ["a"]);
    const other = p.source("other", () => ["a"]);
    expect(refusal("MR_BAD_EDGE", () => feed.to(other as never))).toContain("other is a source");
    for (const next of [undefined, null, "out", () => {}, p]) {
      expect(refusal("MR_BAD_EDGE", () => feed.to(next as never))).toContain(
        "pass a stage or sink of this pipeline",
      );
    }
  });

  test("starts at a source or stage", () => {
    const sink = pipeline("orders").sink("out", () => {});
    expect(sink).not.toHaveProperty("to");
    expect(sink[NODE].pipeline.name).toBe("orders");
  });

  test("takes `when` and nothing else", () => {
    const p = pipeline("orders");
    const feed = p.source("feed", () => ["a"]);
    const out = p.sink("out", (x: string) => x);
    expect(refusal("MR_BAD_OPTION", () => feed.to(out, { where: () => true } as never))).toBe(
      "edge feed -> out of pipeline orders: there is no option where; the options here are when",
    );
    expect(refusal("MR_BAD_OPTION", () => feed.to(out, { when: true } as never))).toContain(
      "when must be a function",
    );
    expect(defined(p).edges).toHaveLength(0);
  });
});

describe("options of a pipeline", () => {
  test.each([
    ["params", { params: { rate: "number" } }],
    ["params", { params: null }],
    ["module", { module: "./orders.ts" }],
    ["durability", { durability: "tape" }],
    ["its options", "disk"],
  ])("refuse a bad %s", (path, options) => {
    const message = refusal("MR_BAD_OPTION", () => pipeline("orders", options as never));
    expect(message).toMatch(new RegExp(`^pipeline orders: ${path} must be .+, got .+; .+`));
  });

  test("refuse what this version does not have", () => {
    for (const option of ["isolation", "permissions", "assets"]) {
      expect(refusal("MR_BAD_OPTION", () => pipeline("orders", { [option]: {} } as never))).toBe(
        `pipeline orders: there is no option ${option}; the options here are params, module, durability`,
      );
    }
  });

  test("are documented", () => {
    expect(pipelineOptionEntries().map(({ path, standard }) => [path, standard])).toEqual([
      ["params", undefined],
      ["module", undefined],
      ["durability", "disk"],
    ]);
  });
});
