import type { NodeShape } from "../definition/shape.ts";

/** With how many instances the nodes of a run begin: as it was said for the run, else as few as their settings allow. */
export function firstTargets({
  nodes,
  instances,
}: {
  readonly nodes: readonly NodeShape[];
  readonly instances: ReadonlyMap<string, number>;
}): Map<string, number> {
  return new Map(
    nodes.map(({ name, kind, settings }) => [
      name,
      kind === "source" ? 1 : (instances.get(name) ?? settings.instances.min),
    ]),
  );
}
