import type { Definition, NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { ConnectionHandlers, StreamConnection } from "../streams/connection.ts";
import type { InstanceScope } from "./scope-context.ts";
import type { SplitTasks } from "./split-tasks.ts";

export interface SourceLoopOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly node: NodeDefinition;
  readonly scope: InstanceScope;
  /** Jobs: takes what the source yields, in place of the edges, and says what covers it. */
  readonly split?: SplitTasks;
  connect(handlers: ConnectionHandlers): Promise<StreamConnection>;
  /** Something has been stored for good. */
  onSettled(): void;
  onError(error: Error): void;
}
