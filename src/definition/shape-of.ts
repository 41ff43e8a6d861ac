import type { Definition, PipelineShape } from "./shape.ts";

/** A definition without its functions: plain JSON, for processes that never import user code. */
export function shapeOf(definition: Definition): PipelineShape {
  const { name, durability, nodes, edges, job } = definition;
  return {
    name,
    ...(job && { kind: "job" }),
    ...(job?.split === undefined && job?.input === undefined && job && { needsInput: true }),
    nodes: [...nodes.values()].map(({ name, kind, part, settings, input }) => ({
      name,
      kind,
      ...(part && { part }),
      settings,
      ...(input === undefined ? {} : { input }),
    })),
    edges: edges.map(({ from, to, conditional }) => ({ from, to, conditional })),
    durability,
  };
}
