import { components } from "./graph.ts";
import type { CapacityPolicy } from "./pacing.ts";
import type { NodeShape, PipelineShape } from "./shape.ts";

/** The stages that each node feeds outside of its own cycle: what they hold is worked off without it. */
export function stagesAhead({ nodes, edges }: PipelineShape): Record<string, string[]> {
  const ahead: Record<string, string[]> = Object.create(null);
  // n.b. combine waits for the result that comes next, and may have a great many others meanwhile.
  const combine = nodes.find(({ part }) => part === "combine")?.name;
  for (const component of components({ nodes, edges })) {
    for (const name of component)
      ahead[name] = edges
        .filter(({ from, to }) => from === name && to !== combine && !component.includes(to))
        .map(({ to }) => to);
  }
  return ahead;
}

interface Paced {
  readonly nodes: readonly Pick<NodeShape, "name" | "settings">[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

/**
 * The capacities that a node's outputs wait for, by stage: those of the stages it feeds, and of all in a cycle that one
 * of them is part of. Its own cycle's are none of them: a cycle that waited for itself would wait for ever.
 */
export function capacitiesFedBy({ nodes, edges }: Paced, node: string): Map<string, CapacityPolicy> {
  const fed = new Map<string, CapacityPolicy>();
  const known = new Map<string, CapacityPolicy>();
  for (const { name, settings } of nodes) {
    const { capacity } = settings.pacing ?? {};
    if (capacity !== undefined) known.set(name, capacity);
  }
  if (known.size === 0) return fed;
  const targets = new Set(edges.filter(({ from }) => from === node).map(({ to }) => to));
  for (const component of components({ nodes, edges })) {
    // The entry to a cycle is an edge to any of its stages from outside.
    if (component.includes(node) || !component.some((name) => targets.has(name))) continue;
    for (const name of component) {
      const capacity = known.get(name);
      if (capacity !== undefined) fed.set(name, capacity);
    }
  }
  return fed;
}
