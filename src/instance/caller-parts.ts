import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { Credit } from "./credit.ts";
import type { Failures } from "./failures.ts";
import type { InHand } from "./in-hand.ts";
import type { KeyOrder } from "./key-order.ts";
import type { LostTasks } from "./lost-tasks.ts";
import type { Outputs } from "./outputs.ts";
import type { InstanceScope } from "./scope-context.ts";
import type { Transactions } from "./transactions.ts";
import type { ItemRef } from "./work.ts";

/** What calls are made with. */
export interface CallerParts {
  readonly env: Env;
  readonly node: NodeDefinition;
  readonly scope: InstanceScope;
  readonly outputs: Outputs;
  readonly transactions: Transactions;
  readonly failures: Failures;
  /** Jobs: what becomes of tasks that have failed for good. */
  readonly lostTasks: LostTasks | undefined;
  readonly credit: Credit;
  readonly inHand: InHand;
  /** Of a stage with `orderBy`. */
  readonly keys: KeyOrder | undefined;
  readonly isAlone: boolean;
  /** Whether results for this connection's items still count. */
  isCurrent(epoch: number): boolean;
  /** Whether a failed item stays in hand, as if it had not been called. */
  keep(ref: ItemRef): boolean;
  /** An asynchronous call has ended: there is room for another, and something to send. */
  onEnd(): void;
  /** A call outlived its grace: only the end of the process ends it, or it is abandoned. */
  onStuck(refs: readonly ItemRef[]): "wait" | "abandon";
}
