import { isPassItem } from "../definition/push.ts";
import type { Definition, NodeDefinition } from "../definition/shape.ts";
import { Backpressure } from "./backpressure.ts";
import { targetsOf } from "./edges.ts";
import { needsPlacement } from "./placement.ts";

/**
 * The stages that a node's items go to, if all it does is to pass on what was pushed and each of these stages takes
 * every item as it is; else none. Where a function of the user's has a say, or a stage may be full, the items go
 * through an instance.
 */
export function passesOn(definition: Definition, node: NodeDefinition): readonly string[] {
  if (node.input !== "push" || !isPassItem(node.handler.run)) return [];
  const targets = targetsOf(definition, node.name);
  if (targets.some((target) => target.when !== undefined || needsPlacement(target))) return [];
  return Backpressure.of(definition, node.name) === undefined ? targets.map(({ stream }) => stream) : [];
}
