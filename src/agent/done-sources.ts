import type { PipelineShape } from "../definition/shape.ts";
import { readSourceState } from "../instance/source-state.ts";
import { recordKeys } from "../records/record-store.ts";
import type { StreamsProcess } from "./streams-process.ts";

/** Sources that came to their end in an earlier life of a run: they are not started again. */
export async function doneSources(shape: PipelineShape, streams: StreamsProcess): Promise<string[]> {
  const done: string[] = [];
  for (const { name, kind } of shape.nodes) {
    if (kind !== "source") continue;
    const { value } = await streams.request("get", { key: recordKeys.sourceState(name) });
    if (value !== undefined && readSourceState(value, 0).isDone) done.push(name);
  }
  return done;
}
