import type { NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import type { StreamConnection } from "../streams/connection.ts";
import { MESSAGE } from "../streams/protocol.ts";
import { OriginSequence } from "../wire/ids.ts";
import { Announcer } from "./announcer.ts";
import { Backpressure } from "./backpressure.ts";
import { Caller } from "./caller.ts";
import { Credit } from "./credit.ts";
import { targetsOf } from "./edges.ts";
import { Failures } from "./failures.ts";
import { InHand } from "./in-hand.ts";
import { Intake } from "./intake.ts";
import { KeyOrder, type KeyOrderParts } from "./key-order.ts";
import { LostTasks } from "./lost-tasks.ts";
import { Outbox } from "./outbox.ts";
import { Outputs } from "./outputs.ts";
import { RateGate } from "./rate-gate.ts";
import { StageBreaker } from "./stage-breaker.ts";
import type { StageLoopOptions } from "./stage-loop-options.ts";
import { Transactions } from "./transactions.ts";

/** What a stage loop is made of. */
export interface StageParts {
  readonly outbox: Outbox;
  readonly credit: Credit;
  readonly caller: Caller;
  readonly intake: Intake;
  /** Of a stage with a `rate`. */
  readonly gate: RateGate | undefined;
  readonly backpressure: Backpressure | undefined;
  readonly breaker: StageBreaker;
  /** Of a stage with `orderBy`. */
  readonly keys: KeyOrder | undefined;
}

/** What its parts ask the loop, or tell it. */
export interface StageLoopHooks {
  connection(): StreamConnection | undefined;
  /** Whether results for this connection's items still count. */
  isCurrent(epoch: number): boolean;
  /** Calls in flight at most. */
  concurrency(): number;
  /** Something may be done now. */
  onReady(): void;
  /** A call has ended. */
  onEnd(): void;
  /** Calls of a lane that outlived their connection have ended. */
  onFreed(lane: number): void;
}

/** Puts together what a stage loop works with. */
export function stageParts(options: StageLoopOptions, hooks: StageLoopHooks): StageParts {
  const { env, definition, node } = options;
  const isAlone = options.role === "suspect";
  const { connection } = hooks;
  const outputs = new Outputs(env, targetsOf(definition, node.name), originsOf(env));
  const transactions = new Transactions(node.name);
  const failures = new Failures(env, node, options.settings, transactions);
  const outbox = new Outbox({ env, outputs, transactions, failures, connection });
  const { job } = definition;
  const lostTasks =
    job === undefined || node.part !== "process"
      ? undefined
      : new LostTasks(job, definition.name, outputs, transactions, options.onRunFailed);
  const itemsPerCall = isAlone ? 1 : (node.settings.batch?.size ?? 1);
  const credit = new Credit(hooks.concurrency(), itemsPerCall, lostTasks !== undefined);
  const inHand = new InHand(options.watch);
  const keys = keyOrderOf(node, { env, credit, onReady: hooks.onEnd, onFreed: hooks.onFreed });
  const caller: Caller = new Caller({
    env,
    node,
    scope: options.scope,
    outputs,
    transactions,
    failures,
    lostTasks,
    credit,
    inHand,
    keys,
    isAlone,
    isCurrent: hooks.isCurrent,
    keep: (ref) => breaker.keep(ref),
    onEnd: hooks.onEnd,
    onStuck: ([ref, ...others]) =>
      options.onStuck(
        ref === undefined || others.length > 0
          ? undefined
          : { frame: ref.range.number, place: ref.range.offset + ref.index },
      ),
  });
  const announcer = new Announcer(connection, credit, hooks.onReady);
  const free = (): number => hooks.concurrency() - caller.active;
  const gate = node.settings.pacing?.rate && new RateGate(node, credit, free, connection);
  const intake = new Intake({
    env,
    node,
    isAlone,
    caller,
    announcer,
    inHand,
    gate,
    keys,
    onReady: hooks.onReady,
  });
  const backpressure = Backpressure.of(definition, node.name);
  const breaker: StageBreaker = new StageBreaker({
    caller,
    intake,
    onProbed: (isGood) => connection()?.send(MESSAGE.probed, { isGood }),
  });
  return { outbox, credit, caller, intake, gate, keys, backpressure, breaker };
}

function keyOrderOf(node: NodeDefinition, parts: KeyOrderParts): KeyOrder | undefined {
  return node.settings.order === undefined ? undefined : new KeyOrder(parts);
}

function originsOf(env: Env): ConstructorParameters<typeof Outputs>[2] {
  const origins = new OriginSequence(env.random);
  return () => ({ origin: origins.next(), first: 0 });
}
