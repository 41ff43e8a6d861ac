import { elementsOf } from "../definition/many.ts";
import type { NodeDefinition } from "../definition/shape.ts";
import { describeValue, StageError } from "../errors.ts";

/**
 * What a function's return value means.
 * - `none`: no output
 * - `one`: the value is one item
 * - `several`: each element is an item
 */
export type Returned =
  | { readonly kind: "none" }
  | { readonly kind: "one"; readonly value: unknown }
  | { readonly kind: "several"; readonly elements: Iterable<unknown> | AsyncIterable<unknown> };

const NONE: Returned = { kind: "none" };

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof (value as { then: unknown }).then === "function"
  );
}

/** Reads a settled return value by the rules of the node's kind. Throws StageError MR_BAD_RETURN. */
export function readReturned(node: NodeDefinition, value: unknown): Returned {
  if (node.kind === "sink") {
    // A generator that nobody iterates has done nothing: the item would be lost in silence.
    if (elementsOf(value) !== undefined)
      throw badReturn(node, value, "a sink's function must not be a generator");
    return NONE;
  }
  if (node.part === "process") {
    if (elementsOf(value) !== undefined)
      throw badReturn(node, value, "a task has one result; give it back as one value, an array say");
    return { kind: "one", value };
  }
  if (value === undefined) return NONE;
  const elements = elementsOf(value);
  if (elements !== undefined) return { kind: "several", elements };
  if (node.settings.batch === undefined) return { kind: "one", value };
  if (Array.isArray(value)) return { kind: "several", elements: value };
  throw badReturn(node, value, "a batch stage gives back an array, a generator or undefined");
}

function badReturn(node: NodeDefinition, value: unknown, rule: string): StageError {
  return new StageError(
    "MR_BAD_RETURN",
    `stage ${node.name}: it gave back ${describeValue(value)}; ${rule}`,
    {
      scope: "item",
    },
  );
}
