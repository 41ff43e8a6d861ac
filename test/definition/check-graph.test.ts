import { describe, expect, test } from "vitest";
import { checkGraph } from "../../src/definition/check-graph.ts";
import { definitionOf } from "../../src/definition/definition-of.ts";
import type { Definition, NodeKind, PipelineShape } from "../../src/definition/shape.ts";
import { shapeOf } from "../../src/definition/shape-of.ts";
import { DefinitionError, type Pipeline, pipeline } from "../../src/index.ts";

const feed = () => ["a"];
const work = (x: string) => x;

/** The code and message of the error that checkGraph throws, for the definition and its shape alike. */
function verdict(p: Pipeline): { code: string; message: string; problems: number } | undefined {
  const definition = definitionOf(p) as Definition;
  const found = caught(() => checkGraph(definition));
  expect(caught(() => checkGraph(JSON.parse(JSON.stringify(shapeOf(definition)))))).toEqual(found);
  return found;
}

function caught(check: () => void): { code: string; message: string; problems: number } | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error;
    return {
      code: error.code,
      message: error.message,
      problems: (error.details.problems as unknown[]).length,
    };
  }
}

describe("a sound graph", () => {
  test("branches, joins and loops, as long as there is a way in and a way out", () => {
    const p = pipeline("crawler");
    const seeds = p.source("seeds", feed);
    const again = p.source("again", feed);
    const crawl = p.stage("crawl", work);
    const extract = p.stage("extract", work);
    const pages = p.sink("pages", work);
    seeds.to(crawl).to(extract).to(crawl);
    again.to(crawl);
    extract.to(extract);
    crawl.to(pages);
    seeds.to(pages);
    expect(verdict(p)).toBeUndefined();
  });
});

describe("an unsound graph", () => {
  test("has no source", () => {
    const p = pipeline("empty");
    expect(verdict(p)).toMatchObject({ code: "MR_NO_SOURCE", problems: 1 });
    p.stage("parse", work).to(p.sink("out", work));
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_NO_SOURCE", problems: 1 });
    expect(found?.message).toMatch(/^pipeline empty: it has no source; add one/);
  });

  test("has a stage that leads nowhere", () => {
    const p = pipeline("orders");
    p.source("feed", feed).to(p.stage("parse", work));
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_NO_SINK", problems: 1 });
    expect(found?.message).toMatch(/^stage parse of pipeline orders: .*goes nowhere; .*make it a sink/);
  });

  test("has a source that leads nowhere", () => {
    const p = pipeline("orders");
    p.source("feed", feed).to(p.sink("out", work));
    p.source("idle", feed);
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_BAD_EDGE", problems: 1 });
    expect(found?.message).toContain(
      "source idle of pipeline orders: it leads nowhere; join it with idle.to(",
    );
  });

  test("has a stage and a sink that no source leads to", () => {
    const p = pipeline("orders");
    p.source("feed", feed).to(p.sink("out", work));
    p.stage("lost", work).to(p.sink("void", work));
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_UNREACHABLE", problems: 2 });
    expect(found?.message).toContain("stage lost of pipeline orders: no source leads to it");
    expect(found?.message).toContain("sink void of pipeline orders: no source leads to it");
  });

  test("has a cycle without a way out", () => {
    const p = pipeline("orders");
    const parse = p.stage("parse", work);
    const split = p.stage("split", work);
    const feeding = p.source("feed", feed);
    feeding.to(parse).to(split).to(parse);
    feeding.to(p.sink("out", work));
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_ENDLESS_CYCLE", problems: 1 });
    expect(found?.message).toMatch(/^stages parse, split of pipeline orders: .*; add an edge that leads out/);
  });

  test("has a stage that only feeds itself", () => {
    const p = pipeline("orders");
    const grind = p.stage("grind", work);
    p.source("feed", feed).to(grind).to(grind);
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_ENDLESS_CYCLE", problems: 1 });
    expect(found?.message).toMatch(/^stage grind of pipeline orders/);
  });

  test("is told of all its problems at once", () => {
    const p = pipeline("orders");
    p.source("idle", feed);
    p.stage("lost", work);
    const found = verdict(p);
    expect(found).toMatchObject({ code: "MR_BAD_EDGE", problems: 3 });
    expect(found?.message.split("\n")).toHaveLength(4);
    expect(found?.message).toMatch(/^pipeline orders: 3 problems/);
  });
});

describe("a shape from elsewhere", () => {
  const shape = (edges: string[]): PipelineShape => {
    const p = pipeline("orders");
    const { settings } = definitionOf(p.source("feed", feed) && p)?.nodes.get("feed") ?? {};
    if (settings === undefined) throw new Error("the source has settings");
    const nodes = ["source", "stage", "sink"].map((kind) => ({
      name: kind,
      kind: kind as NodeKind,
      settings,
    }));
    const pairs = edges.map((edge) => edge.split(">"));
    return {
      name: "orders",
      durability: "disk",
      nodes,
      edges: pairs.map(([from = "", to = ""]) => ({ from, to, conditional: false })),
    };
  };

  test.each([
    ["an edge to a node that is not there", "stage>nobody", "there is no node nobody"],
    ["an edge from a node that is not there", "nobody>stage", "there is no node nobody"],
    ["an edge from a sink", "sink>stage", "sink is a sink"],
    ["an edge into a source", "stage>source", "source is a source"],
    ["the same edge twice", "stage>sink", "it is there twice"],
  ])("is refused for %s", (_, edge, message) => {
    const found = caught(() => checkGraph(shape(["source>stage", "stage>sink", edge])));
    expect(found).toMatchObject({ code: "MR_BAD_EDGE", problems: 1 });
    expect(found?.message).toContain(message);
  });

  test("is fine without them", () => {
    expect(caught(() => checkGraph(shape(["source>stage", "stage>sink"])))).toBeUndefined();
  });
});
