import { DefinitionError, type ErrorCode } from "../errors.ts";
import { components, downstreamOf, type Graph } from "./graph.ts";
import type { Definition, EdgeShape, NodeKind, PipelineShape } from "./shape.ts";

interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

interface Checked extends Graph {
  readonly name: string;
  readonly nodes: ReadonlyArray<{ readonly name: string; readonly kind: NodeKind }>;
  readonly edges: readonly EdgeShape[];
}

/**
 * Checks what a pipeline's graph must be before anything starts: edges lead from sources and stages to stages and
 * sinks, once each; there is a source; every path ends in a sink; every node is reached from a source; every
 * cycle has a way out.
 *
 * @throws DefinitionError with the code of the first problem; its message and `details.problems` list all.
 */
export function checkGraph(pipeline: Definition | PipelineShape): void {
  const { name, edges } = pipeline;
  const nodes = [...pipeline.nodes.values()];
  const graph: Checked = { name, nodes, edges };
  // Later checks presume what earlier ones found right: reporting both would name one mistake twice.
  const problems = [badEdges, noSource].flatMap((check) => check(graph));
  if (problems.length === 0)
    problems.push(...[deadEnds, unreached, endlessCycles].flatMap((check) => check(graph)));
  const [first, ...others] = problems;
  if (first === undefined) return;
  const message =
    others.length === 0
      ? first.message
      : `pipeline ${name}: ${problems.length} problems with its graph\n${problems.map((p) => `- ${p.message}`).join("\n")}`;
  throw new DefinitionError(first.code, message, { details: { pipeline: name, problems } });
}

function badEdges(graph: Checked): Problem[] {
  const kinds = new Map(graph.nodes.map(({ name, kind }) => [name, kind]));
  const seen = new Set<string>();
  return graph.edges.flatMap(({ from, to }) => {
    const edge = `edge ${from} -> ${to} of pipeline ${graph.name}`;
    const problem = (what: string): Problem[] => [{ code: "MR_BAD_EDGE", message: `${edge}: ${what}` }];
    for (const end of [from, to]) {
      if (!kinds.has(end)) return problem(`there is no node ${end}; join nodes of this pipeline`);
    }
    if (kinds.get(from) === "sink")
      return problem(`${from} is a sink, which puts nothing out; make it a stage`);
    if (kinds.get(to) === "source")
      return problem(`${to} is a source, which takes no items; make it a stage`);
    const key = JSON.stringify([from, to]);
    if (seen.has(key)) return problem('it is there twice; make it one edge whose "when" covers both cases');
    seen.add(key);
    return [];
  });
}

function noSource(graph: Checked): Problem[] {
  if (graph.nodes.some(({ kind }) => kind === "source")) return [];
  const message = `pipeline ${graph.name}: it has no source; add one with .source(name, function)`;
  return [{ code: "MR_NO_SOURCE", message }];
}

function deadEnds(graph: Checked): Problem[] {
  const feeding = new Set(graph.edges.map(({ from }) => from));
  return graph.nodes
    .filter(({ name, kind }) => kind !== "sink" && !feeding.has(name))
    .map(({ name, kind }): Problem => {
      const subject = `${kind} ${name} of pipeline ${graph.name}`;
      return kind === "source"
        ? {
            code: "MR_BAD_EDGE",
            message: `${subject}: it leads nowhere; join it with ${name}.to(stage or sink)`,
          }
        : {
            code: "MR_NO_SINK",
            message: `${subject}: what it returns goes nowhere; join it with ${name}.to(stage or sink), or make it a sink`,
          };
    });
}

function unreached(graph: Checked): Problem[] {
  // One node in front of all sources turns the question into a single walk. No node can have an empty name.
  const root = "";
  const sources = graph.nodes.filter(({ kind }) => kind === "source");
  const reached = downstreamOf(
    {
      nodes: [...graph.nodes, { name: root }],
      edges: [...graph.edges, ...sources.map(({ name }) => ({ from: root, to: name }))],
    },
    root,
  );
  return graph.nodes
    .filter(({ name }) => !reached.has(name))
    .map(({ name, kind }) => ({
      code: "MR_UNREACHABLE",
      message: `${kind} ${name} of pipeline ${graph.name}: no source leads to it; join one to it with .to(${name}), or remove it`,
    }));
}

function endlessCycles(graph: Checked): Problem[] {
  return components(graph).flatMap((names): Problem[] => {
    const members = new Set(names);
    const out = graph.edges.filter(({ from }) => members.has(from));
    const isCycle = out.some(({ to }) => members.has(to));
    if (!isCycle || out.some(({ to }) => !members.has(to))) return [];
    const what = names.length === 1 ? `stage ${names[0]}` : `stages ${names.join(", ")}`;
    return [
      {
        code: "MR_ENDLESS_CYCLE",
        message: `${what} of pipeline ${graph.name}: items go round and never leave; add an edge that leads out of the cycle to a sink`,
      },
    ];
  });
}
