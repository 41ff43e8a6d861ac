import { DEFINITION, type Definition } from "./shape.ts";

/**
 * The definition behind a value that a module exports; undefined when it is not a pipeline. Works for pipelines
 * made with another copy of the package.
 */
export function definitionOf(value: unknown): Definition | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  if (!(DEFINITION in value) || typeof value[DEFINITION] !== "function") return undefined;
  return value[DEFINITION]() as Definition;
}
