import type { Definition, PipelineShape } from "./shape.ts";

/** A definition without its functions: plain JSON, for processes that never import user code. */
export function shapeOf(definition: Definition): PipelineShape {
  const { name, durability, nodes, edges } = definition;
  return {
    name,
    nodes: [...nodes.values()].map(({ name, kind, settings, input }) => ({
      name,
      kind,
      settings,
      ...(input === undefined ? {} : { input }),
    })),
    edges: edges.map(({ from, to, conditional }) => ({ from, to, conditional })),
    durability,
  };
}
