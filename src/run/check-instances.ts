import type { PipelineShape } from "../definition/shape.ts";
import { describeValue, UsageError } from "../errors.ts";

/** More instances of a stage than this are a slip of the hand. */
export const MAX_INSTANCES = 1_000;

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
    // n.b. a program may give any value; none at all would leave the run waiting for ever.
    if (!Number.isSafeInteger(count) || count < 1 || count > MAX_INSTANCES) {
      throw new UsageError(
        "MR_USAGE",
        `instances ${stage}: ${describeValue(count)}; give a whole number from 1 to ${MAX_INSTANCES}`,
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
