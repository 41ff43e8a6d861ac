import type { NodeDefinition } from "../definition/shape.ts";
import { type Batched, isBatched, SOURCE_BATCHES } from "../definition/source-batch.ts";
import type { InProcessHandle } from "../run/in-process-instance.ts";
import type { Observer } from "./observer.ts";

type Step = IteratorResult<unknown>;
type Given = Iterable<unknown> | AsyncIterable<unknown>;

/** A source's function, whose steps are followed, and which dies where the plan says. */
export function observedSource(
  node: NodeDefinition,
  instance: InProcessHandle,
  observer: Observer,
): (...args: unknown[]) => unknown {
  const run = node.handler.run as unknown as (...args: unknown[]) => unknown;
  return (...args) => {
    const given = observer.user.track(() => run(...args));
    if (given instanceof Promise)
      return given.then((iterable) => observed(iterable, node, instance, observer));
    return observed(given, node, instance, observer);
  };
}

/** What is no iterable is left to be refused by who would iterate over it. */
function observed(
  given: unknown,
  { name }: NodeDefinition,
  instance: InProcessHandle,
  observer: Observer,
): unknown {
  if (typeof given !== "object" || given === null) return given;
  if (isBatched(given) && !observer.plan.kills(name)) return observedBatches(given, name, observer);
  const isAsync = Symbol.asyncIterator in given;
  if (!isAsync && !(Symbol.iterator in given)) return given;
  const source = given as Given;
  const iterator = isAsync
    ? (source as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    : (source as Iterable<unknown>)[Symbol.iterator]();
  const pass = (step: Step): Step | Promise<never> => {
    if (step.done === true) {
      observer.onSourceEnd(name);
      return step;
    }
    const fault = observer.plan.of(name, observer.yielded(name, step.value));
    if (fault?.kind !== "kill") return step;
    observer.onFault("kill", instance);
    instance.kill("the simulation (killAt)");
    return new Promise<never>(() => undefined);
  };
  const next = (): Step | Promise<Step> => {
    const step = observer.user.track(() => iterator.next());
    return step instanceof Promise ? step.then(pass) : (pass(step as Step) as Step | Promise<Step>);
  };
  const end = async (): Promise<Step> =>
    (await iterator.return?.()) ?? { done: true as const, value: undefined };
  const observedIterator = { next, return: end };
  return {
    [isAsync ? Symbol.asyncIterator : Symbol.iterator]: () => observedIterator,
  };
}

/** A ready-made source's batches, each waited for as an item is. */
function observedBatches(given: Batched<unknown>, name: string, observer: Observer): unknown {
  const batches = given[SOURCE_BATCHES]();
  const next = async () => {
    const step = await observer.user.track(() => batches.next());
    if (step.done === true) observer.onSourceEnd(name);
    return step;
  };
  const end = async () => (await batches.return?.()) ?? { done: true as const, value: undefined };
  return { [SOURCE_BATCHES]: () => ({ next, return: end }) };
}
