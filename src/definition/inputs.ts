import { RunError } from "../errors.ts";
import type { NodeShape, PipelineShape } from "./shape.ts";

/**
 * The push source of that name.
 *
 * @throws RunError MR_RUN_UNKNOWN when there is no such source, MR_NOT_PUSHABLE when its items do not come from outside.
 */
export function inputOf(shape: PipelineShape, source: string): NodeShape {
  const sources = shape.nodes.filter((node) => node.kind === "source");
  const found = shape.nodes.find((node) => node.name === source);
  if (found?.input === "push") return found;
  const inputs = sources.filter((node) => node.input === "push").map((node) => node.name);
  const remedy =
    inputs.length === 0 ? "it has no source that is made with push()" : `push to ${inputs.join(" or ")}`;
  if (found === undefined) {
    throw new RunError(
      "MR_RUN_UNKNOWN",
      `pipeline ${shape.name}: it has no source ${JSON.stringify(source)}; ${remedy}`,
    );
  }
  const what = found.kind === "source" ? "it makes its items itself" : `it is a ${found.kind}`;
  throw new RunError(
    "MR_NOT_PUSHABLE",
    `${found.kind} ${source} of pipeline ${shape.name}: ${what}; ${remedy}`,
  );
}

/**
 * The node of that name.
 *
 * @throws RunError MR_RUN_UNKNOWN when the pipeline has none.
 */
export function nodeOf(shape: PipelineShape, stage: string): NodeShape {
  const found = shape.nodes.find((node) => node.name === stage);
  if (found !== undefined) return found;
  const names = shape.nodes.map((node) => node.name).join(", ");
  throw new RunError(
    "MR_RUN_UNKNOWN",
    `pipeline ${shape.name}: it has no stage ${JSON.stringify(stage)}; it has ${names}`,
  );
}

/** What a command to a run gets that has ended. */
export function runOver(run: string, status: string): RunError {
  return new RunError("MR_RUN_OVER", `run ${run}: it is ${status}; start it again to go on with it`);
}
