import type { Definition, JobDefinition, NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { JobInput } from "./messages.ts";
import type { SourceContext } from "./source-context.ts";
import { splitInput } from "./split-input.ts";
import { SplitTasks } from "./split-tasks.ts";

interface SplitSettings {
  readonly env: Env;
  readonly definition: Definition;
  readonly stage: string;
  readonly input?: JobInput;
}

/** A job's source: its split over the input, and what takes the tasks. */
export function splitSource(
  { env, definition, stage, input }: SplitSettings,
  job: JobDefinition,
): { readonly node: NodeDefinition; readonly split: SplitTasks } {
  const { name } = definition;
  const run = (context: SourceContext): unknown => splitInput(env, name, job, input, context);
  const node = definition.nodes.get(stage) as NodeDefinition;
  const handler = { run: run as unknown as NodeDefinition["handler"]["run"] };
  return { node: { ...node, handler }, split: new SplitTasks(name) };
}
