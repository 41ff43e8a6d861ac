import type { Context } from "../definition/context.ts";
import { elementsOf } from "../definition/many.ts";
import type { Definition, Handler, NodeDefinition } from "../definition/shape.ts";
import type { InProcessHandle } from "../run/in-process-instance.ts";
import type { Fault } from "./fault-plan.ts";
import { observedSource } from "./observed-source.ts";
import type { Observer } from "./observer.ts";
import type { UserCalls } from "./user-calls.ts";

/** What was done before a fault is settled within this time. */
const SETTLE_MS = 10;
/** A lost connection is noticed within this time. */
const CLOSE_MS = 1;
const NEVER = new Promise<never>(() => undefined);

type Function = (...args: unknown[]) => unknown;

/** A definition whose node that an instance runs is seen at work, and disturbed. */
export function observedDefinition(
  definition: Definition,
  instance: InProcessHandle,
  observer: Observer,
): Definition {
  const node = definition.nodes.get(instance.stage) as NodeDefinition;
  const { user } = observer;
  const { setup, teardown } = node.handler;
  const followed =
    (call: unknown): Function =>
    (...args) =>
      user.track(() => (call as Function)(...args));
  const run = node.kind === "source" ? observedSource : observedRun;
  const handler = {
    ...(setup === undefined ? {} : { setup: followed(setup) }),
    run: run(node, instance, observer),
    ...(teardown === undefined ? {} : { teardown: followed(teardown) }),
  } as Handler;
  const { onFailed } = node;
  const observed = { ...node, handler, ...(onFailed === undefined ? {} : { onFailed: followed(onFailed) }) };
  return { ...definition, nodes: new Map(definition.nodes).set(node.name, observed as NodeDefinition) };
}

function observedRun(node: NodeDefinition, instance: InProcessHandle, observer: Observer): Function {
  const { user, calls, plan, timers } = observer;
  const run = node.handler.run as unknown as (input: unknown, context: Context) => unknown;
  const isBatch = node.settings.batch !== undefined;

  const disturbed = async (fault: Fault, input: unknown, context: Context): Promise<unknown> => {
    await timers.sleep(SETTLE_MS);
    if (fault.after) {
      try {
        await user.track(async () => {
          const elements = elementsOf(await run(input, context));
          // A generator has done its work when it has been gone through.
          if (elements !== undefined) for await (const _ of elements);
        });
      } catch {
        // Nobody will know.
      }
    }
    observer.onFault(fault.kind, instance);
    if (fault.kind === "kill") {
      instance.kill("the simulation (killAt)");
      return await NEVER;
    }
    instance.loseConnection();
    // Nothing else is begun over a connection that is gone.
    await timers.sleep(CLOSE_MS);
    return undefined;
  };

  return (input, given) => {
    const context = given as Context;
    const items = isBatch ? (input as readonly unknown[]) : [input];
    const fault = plan.of(node.name, calls.add(node.name, instance.id, items, context));
    if (fault !== undefined) return disturbed(fault, input, context);
    const value = user.track(() => run(input, context));
    if (node.kind === "sink") return value;
    return value instanceof Promise
      ? value.then((settled) => followedValue(settled, user))
      : followedValue(value, user);
  };
}

function followedValue(value: unknown, user: UserCalls): unknown {
  const elements = elementsOf(value);
  return elements !== undefined && Symbol.asyncIterator in elements
    ? followedElements(elements, user)
    : value;
}

/** The elements of an async generator, each waited for as a call is. */
async function* followedElements(elements: AsyncIterable<unknown>, user: UserCalls): AsyncGenerator<unknown> {
  const iterator = elements[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await user.track(() => iterator.next());
      if (done === true) return;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}
