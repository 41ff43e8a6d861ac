import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { components, downstreamOf, type Graph, upstreamOf } from "../../src/definition/graph.ts";

/** `graph("a b c", "a>b b>c")` */
function graph(nodes: string, edges: string): Graph {
  const words = (text: string) => text.split(" ").filter((word) => word !== "");
  return {
    nodes: words(nodes).map((name) => ({ name })),
    edges: words(edges).map((edge) => {
      const [from = "", to = ""] = edge.split(">");
      return { from, to };
    }),
  };
}

describe("components", () => {
  test("of a graph without cycles are its nodes, upstream first", () => {
    expect(components(graph("sink parse feed", "feed>parse parse>sink"))).toEqual([
      ["feed"],
      ["parse"],
      ["sink"],
    ]);
  });

  test("of a cycle are its nodes in the order of the definition", () => {
    const crawl = graph("feed crawl extract pages", "feed>crawl crawl>extract extract>crawl crawl>pages");
    expect(components(crawl)).toEqual([["feed"], ["crawl", "extract"], ["pages"]]);
  });

  test("tell two cycles in a row apart", () => {
    expect(components(graph("a b c d", "a>b b>a b>c c>d d>c"))).toEqual([
      ["a", "b"],
      ["c", "d"],
    ]);
  });

  test("keep unrelated nodes in the order of the definition", () => {
    expect(components(graph("a b c", ""))).toEqual([["a"], ["b"], ["c"]]);
  });

  test("of a chain or cycle of 100 000 stages need no call stack", () => {
    const names = Array.from({ length: 100_000 }, (_, i) => ({ name: `n${i}` }));
    const chain = names.slice(1).map(({ name }, i) => ({ from: `n${i}`, to: name }));
    expect(components({ nodes: names, edges: chain })).toHaveLength(100_000);
    const cycle = [...chain, { from: "n99999", to: "n0" }];
    expect(components({ nodes: names, edges: cycle })).toEqual([names.map(({ name }) => name)]);
    expect(downstreamOf({ nodes: names, edges: chain }, "n0").size).toBe(99_999);
  });
});

describe("upstreamOf and downstreamOf", () => {
  const diamond = graph("feed left right sink aside", "feed>left feed>right left>sink right>sink");

  test("find every node at any distance, without the node itself", () => {
    expect(upstreamOf(diamond, "sink")).toEqual(new Set(["feed", "left", "right"]));
    expect(downstreamOf(diamond, "feed")).toEqual(new Set(["left", "right", "sink"]));
    expect(upstreamOf(diamond, "feed")).toEqual(new Set());
    expect(downstreamOf(diamond, "aside")).toEqual(new Set());
  });

  test("find the node itself when it is part of a cycle", () => {
    expect(upstreamOf(graph("a b", "a>b b>a"), "a")).toEqual(new Set(["a", "b"]));
    expect(downstreamOf(graph("a", "a>a"), "a")).toEqual(new Set(["a"]));
  });
});

describe("any graph", () => {
  const graphs = fc.integer({ min: 0, max: 9 }).chain((size) => {
    const name = fc.nat(Math.max(0, size - 1)).map((i) => `n${i}`);
    const edges =
      size === 0 ? fc.constant([]) : fc.array(fc.record({ from: name, to: name }), { maxLength: 25 });
    return edges.map(
      (edges): Graph => ({ nodes: Array.from({ length: size }, (_, i) => ({ name: `n${i}` })), edges }),
    );
  });

  test("is the same to the walk and to a naive closure", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const reaches = closure(graph);
        for (const { name } of graph.nodes) {
          const others = graph.nodes.map((node) => node.name);
          expect(downstreamOf(graph, name)).toEqual(new Set(others.filter((other) => reaches(name, other))));
          expect(upstreamOf(graph, name)).toEqual(new Set(others.filter((other) => reaches(other, name))));
        }
      }),
    );
  });

  test("falls into components of nodes that reach each other, upstream first", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const reaches = closure(graph);
        const found = components(graph);
        expect(found.flat().sort()).toEqual(graph.nodes.map(({ name }) => name).sort());
        const placed = new Map(found.flatMap((names, index) => names.map((name) => [name, index] as const)));
        for (const { name: a } of graph.nodes) {
          for (const { name: b } of graph.nodes) {
            const together = a === b || (reaches(a, b) && reaches(b, a));
            expect(placed.get(a) === placed.get(b)).toBe(together);
            if (reaches(a, b)) expect(placed.get(a)).toBeLessThanOrEqual(placed.get(b) ?? -1);
          }
        }
      }),
    );
  });
});

/** Who reaches whom, by trying until nothing is added. */
function closure(graph: Graph): (from: string, to: string) => boolean {
  const pairs = new Set(graph.edges.map(({ from, to }) => `${from}>${to}`));
  for (let before = -1; before !== pairs.size; ) {
    before = pairs.size;
    for (const pair of [...pairs]) {
      const [from, via] = pair.split(">");
      for (const edge of graph.edges) if (edge.from === via) pairs.add(`${from}>${edge.to}`);
    }
  }
  return (from, to) => pairs.has(`${from}>${to}`);
}
