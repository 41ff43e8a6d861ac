import type { Timers } from "../env/env.ts";
import type { InProcessHandle } from "../run/in-process-instance.ts";
import type { CallRecord, SeenCall } from "./call-record.ts";
import type { Fault, FaultPlan } from "./fault-plan.ts";
import type { UserCalls } from "./user-calls.ts";

/** What stands around the user's functions in a simulation. */
export interface Observer {
  readonly timers: Timers;
  readonly user: UserCalls;
  readonly calls: CallRecord;
  readonly plan: FaultPlan;
  /** A source has yielded an item: what faults are to see of it. */
  yielded(source: string, item: unknown): SeenCall;
  onFault(kind: Fault["kind"], instance: InProcessHandle): void;
  onSourceEnd(source: string): void;
}
