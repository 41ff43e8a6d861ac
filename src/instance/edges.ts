import type { Definition } from "../definition/shape.ts";

/** Where a node's outputs go: one target a stream, whatever number of edges leads there. */
export interface Target {
  readonly stream: string;
  /** Absent: always. Several conditional edges to one stage cannot be: an edge is unique. */
  readonly when: ((item: unknown) => unknown) | undefined;
  /** What the stage's `dedupe` knows an item by; absent: its id, or there is no `dedupe`. */
  readonly dedupeBy?: (item: unknown) => unknown;
}

export function targetsOf(definition: Definition, node: string): Target[] {
  return definition.edges
    .filter((edge) => edge.from === node)
    .map((edge) => {
      const dedupeBy = definition.nodes.get(edge.to)?.dedupeBy as Target["dedupeBy"];
      return {
        stream: edge.to,
        when: edge.when as Target["when"],
        ...(dedupeBy === undefined ? {} : { dedupeBy }),
      };
    });
}
