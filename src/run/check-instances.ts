import type { PipelineShape } from "../definition/shape.ts";
import { UsageError } from "../errors.ts";

/** Throws UsageError MR_USAGE for a number of instances that a stage cannot have, and for a stage that is not there. */
export function checkInstances(instances: ReadonlyMap<string, number>, shape: PipelineShape): void {
  for (const [stage, count] of instances) {
    const node = shape.nodes.find((known) => known.name === stage);
    if (node === undefined) {
      throw new UsageError(
        "MR_USAGE",
        `instances ${stage}=${count}: pipeline ${shape.name} has no stage ${JSON.stringify(stage)}; it has ${shape.nodes.map((known) => known.name).join(", ")}`,
      );
    }
    if ((node.kind === "source" || node.part === "combine") && count !== 1) {
      throw new UsageError(
        "MR_USAGE",
        `instances ${stage}=${count}: ${node.kind === "source" ? "a source" : "combine"} runs in exactly one instance`,
      );
    }
  }
}
