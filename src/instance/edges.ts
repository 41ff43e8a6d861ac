import type { Definition } from "../definition/shape.ts";

/** Where a node's outputs go: one target a stream, whatever number of edges leads there. */
export interface Target {
  readonly stream: string;
  /** Absent: always. Several conditional edges to one stage cannot be: an edge is unique. */
  readonly when: ((item: unknown) => unknown) | undefined;
}

export function targetsOf(definition: Definition, node: string): Target[] {
  return definition.edges
    .filter((edge) => edge.from === node)
    .map((edge) => ({ stream: edge.to, when: edge.when as ((item: unknown) => unknown) | undefined }));
}
