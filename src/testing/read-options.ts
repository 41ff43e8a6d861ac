import { parseDuration } from "../definition/duration.ts";
import type { Definition, Handler, NodeDefinition } from "../definition/shape.ts";
import { handlerOf } from "../definition/work.ts";
import { describeValue, UsageError } from "../errors.ts";
import type { Faults, SimulateOptions } from "./simulate-options.ts";

/** What a simulation goes by, checked. */
export interface SimulationSettings {
  readonly params: Readonly<Record<string, unknown>>;
  /** Jobs: undefined when none was given. */
  readonly input: unknown;
  readonly seed: number;
  readonly startAt: number;
  /** Undefined: not said. */
  readonly untilMs: number | undefined;
  readonly instances: ReadonlyMap<string, number>;
  readonly faults: Faults;
  readonly patienceMs: number;
  readonly maxCalls: number;
  /** With fed sources and stubs in place of the functions that they stand for. */
  readonly definition: Definition;
}

const START_AT = Date.UTC(2026, 0, 1);
const OPTIONS = [
  "params",
  "input",
  "seed",
  "startAt",
  "until",
  "instances",
  "stubs",
  "sources",
  "faults",
  "patienceMs",
  "maxCalls",
];

/** Reads what `simulate` was given. Throws UsageError MR_USAGE. */
export function readOptions(definition: Definition, options: SimulateOptions): SimulationSettings {
  const { params = {}, seed = 1, startAt = START_AT, until, instances = {}, faults = {} } = options;
  const { input } = options;
  if (input !== undefined && definition.job === undefined)
    throw bad("input", `pipeline ${definition.name} takes none; only a job does`);
  const { redeliver, killAt } = options;
  const ofFaults = Object.entries({ redeliver, killAt }).filter(
    ([name, value]) => value !== undefined && !definition.nodes.has(name),
  );
  const { patienceMs = 1_000, maxCalls = 1_000_000, stubs = {}, sources = {} } = options;
  const own = Object.entries(options).filter(
    ([name]) => !OPTIONS.includes(name) && !ofFaults.some(([fault]) => fault === name),
  );
  const nodes = new Map(definition.nodes);
  for (const [name, items] of [...own, ...Object.entries(sources)]) feed(nodes, name, items);
  // Nobody is there to push: a source that is not fed has nothing to give.
  for (const [name, node] of nodes)
    if (node.input === "push")
      nodes.set(
        name,
        fed(node, () => []),
      );
  for (const [name, work] of Object.entries(stubs)) {
    const node = nodes.get(name);
    if (node === undefined || node.kind === "source")
      throw bad(`stubs.${name}`, noSuch(nodes, "stage or sink"));
    nodes.set(name, { ...node, handler: handlerOf(work, `simulate: stubs.${name}`) });
  }
  for (const [name, count] of Object.entries(instances)) {
    const kind = nodes.get(name)?.kind ?? "source";
    if (kind === "source") throw bad(`instances.${name}`, noSuch(nodes, "stage or sink"));
    whole(`instances.${name}`, count, 1);
  }
  const start = new Date(startAt).getTime();
  if (Number.isNaN(start)) throw bad("startAt", `${describeValue(startAt)} is no date`);
  const untilMs = until === undefined ? undefined : parseDuration(until);
  if (until !== undefined && untilMs === undefined)
    throw bad("until", `${describeValue(until)} is neither milliseconds nor a text like "5m"`);
  return {
    params,
    input,
    seed: whole("seed", seed, Number.MIN_SAFE_INTEGER),
    startAt: start,
    untilMs,
    instances: new Map(Object.entries(instances)),
    faults: { ...faults, ...Object.fromEntries(ofFaults) } as Faults,
    patienceMs: whole("patienceMs", patienceMs, 0),
    maxCalls: whole("maxCalls", maxCalls, 1),
    definition: { ...definition, nodes },
  };
}

function feed(nodes: Map<string, NodeDefinition>, given: string, items: unknown): void {
  const sources = [...nodes.values()].filter(({ kind }) => kind === "source");
  // `feed` is what one says when there is only one.
  const isOnly = given === "feed" && !nodes.has(given) && sources.length === 1;
  const name = isOnly ? (sources[0]?.name ?? given) : given;
  const node = nodes.get(name);
  if (node?.kind !== "source")
    throw bad(
      name,
      `no option is called so (they are ${OPTIONS.join(", ")}), and ${noSuch(nodes, "source")}`,
    );
  const isIterable =
    typeof items === "object" &&
    items !== null &&
    (Symbol.iterator in items || Symbol.asyncIterator in items);
  if (!isIterable && typeof items !== "function")
    throw bad(
      name,
      `the items of a source are an iterable, or a function that gives one; got ${describeValue(items)}`,
    );
  const run = (typeof items === "function" ? items : () => items) as Handler["run"];
  nodes.set(name, fed(node, run));
}

/** A source that gives these items, also where they would come from outside. */
function fed({ input: _outside, ...node }: NodeDefinition, run: Handler["run"]): NodeDefinition {
  return { ...node, handler: { run } };
}

function noSuch(nodes: ReadonlyMap<string, NodeDefinition>, kind: "source" | "stage or sink"): string {
  const isKind = (node: NodeDefinition): boolean => (node.kind === "source") === (kind === "source");
  const names = [...nodes.values()].filter(isKind).map(({ name }) => name);
  return `the pipeline has no ${kind} of that name; it has ${names.join(", ")}`;
}

function whole(name: string, value: unknown, min: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
  throw bad(name, `${describeValue(value)} is not a whole number${min > -1 ? ` of at least ${min}` : ""}`);
}

function bad(place: string, what: string): UsageError {
  return new UsageError("MR_USAGE", `simulate: ${place}: ${what}`);
}
