import type { Definition, NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { ConnectionHandlers, StreamConnection } from "../streams/connection.ts";
import type { FailureSettings } from "./failures.ts";
import type { InstanceScope } from "./scope-context.ts";

/** What a stage loop is started with. */
export interface StageLoopOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly node: NodeDefinition;
  readonly scope: InstanceScope;
  readonly role: "worker" | "suspect";
  readonly settings: FailureSettings;
  readonly watch: Float64Array;
  /** `lost` items were in hand over an earlier connection; of the `busy` lanes calls are still running. */
  connect(handlers: ConnectionHandlers, lost: number, busy: readonly number[]): Promise<StreamConnection>;
  /** A call outlived its grace; `abandon` when nobody will end the process for it. */
  onStuck(item: { readonly frame: number; readonly place: number } | undefined): "wait" | "abandon";
  /** Something has been settled for good. */
  onSettled(): void;
  onError(error: Error): void;
  /** The run cannot go on. */
  onRunFailed(error: Error): void;
}
