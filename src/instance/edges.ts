import type { Priority } from "../definition/priority.ts";
import type { Definition } from "../definition/shape.ts";

/** Where a node's outputs go: one target a stream, whatever number of edges leads there. */
export interface Target {
  readonly stream: string;
  /** Absent: always. Several conditional edges to one stage cannot be: an edge is unique. */
  readonly when: ((item: unknown) => unknown) | undefined;
  /** What the stage's `dedupe` knows an item by; absent: its id, or there is no `dedupe`. */
  readonly dedupeBy?: (item: unknown) => unknown;
  /** Present where the stage keeps order. */
  readonly order?: { readonly by: (item: unknown) => unknown; readonly partitions: number };
  readonly priority?: Priority | ((item: unknown) => unknown);
}

export function targetsOf(definition: Definition, node: string): Target[] {
  return definition.edges
    .filter((edge) => edge.from === node)
    .map((edge) => {
      const { dedupeBy, orderBy, priority, settings } = definition.nodes.get(edge.to) ?? {};
      const order = settings?.order && { by: orderBy as OrderBy, partitions: settings.order.partitions };
      return {
        stream: edge.to,
        when: edge.when as Target["when"],
        ...(dedupeBy && { dedupeBy: dedupeBy as Exclude<Target["dedupeBy"], undefined> }),
        ...(order && { order }),
        ...(priority !== undefined && { priority: priority as Exclude<Target["priority"], undefined> }),
      };
    });
}

type OrderBy = (item: unknown) => unknown;
