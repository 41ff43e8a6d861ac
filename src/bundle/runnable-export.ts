import { definitionOf } from "../definition/definition-of.ts";
import type { Definition } from "../definition/shape.ts";
import { UsageError } from "../errors.ts";

export interface RunnableExport {
  readonly name: string;
  readonly definition: Definition;
}

/**
 * The export to run: the one named; else the default export when it can be run; else the only one that can.
 *
 * @param shown the module as the user named it.
 * @throws UsageError MR_NOTHING_TO_RUN or MR_AMBIGUOUS_EXPORT, with what there is to choose from.
 */
export function runnableExport(
  exported: Readonly<Record<string, unknown>>,
  shown: string,
  name?: string,
): RunnableExport {
  const values = named(exported);
  const runnable = runnables(values);
  if (name !== undefined) {
    const definition = definitionOf(values[name]);
    if (definition !== undefined) return { name, definition };
    throw unknownExport(values, [...runnable.keys()], shown, name);
  }
  const chosen = runnable.get("default");
  if (chosen !== undefined) return { name: "default", definition: chosen };
  const [first, second] = runnable;
  if (first === undefined) {
    const problem = `exports nothing that can be run; it exports ${listed(values)}`;
    throw new UsageError(
      "MR_NOTHING_TO_RUN",
      `${shown}: it ${problem}; export a pipeline, as default or by name`,
      {
        details: { exports: Object.keys(values) },
      },
    );
  }
  if (second === undefined) return { name: first[0], definition: first[1] };
  const addresses = [...runnable.keys()].map((key) => `${shown}#${key}`);
  throw new UsageError(
    "MR_AMBIGUOUS_EXPORT",
    `${shown}: it exports ${runnable.size} pipelines and none as default; name one of ${addresses.join(", ")}`,
    { details: { exports: [...runnable.keys()] } },
  );
}

/** CommonJS arrives as one default export that holds the rest. */
function named(exported: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const inner = exported.default;
  const isAlone = Object.keys(exported).length === 1;
  if (!isAlone || typeof inner !== "object" || inner === null || definitionOf(inner) !== undefined)
    return exported;
  return Object.getPrototypeOf(inner) === Object.prototype ? (inner as Record<string, unknown>) : exported;
}

/** One pipeline under two names counts once, by its first; `default` comes before others. */
function runnables(values: Readonly<Record<string, unknown>>): Map<string, Definition> {
  const found = new Map<string, Definition>();
  const seen = new Set<unknown>();
  const names = Object.keys(values).sort((a, b) => Number(b === "default") - Number(a === "default"));
  for (const name of names) {
    const value = values[name];
    const definition = definitionOf(value);
    if (definition === undefined || seen.has(value)) continue;
    seen.add(value);
    found.set(name, definition);
  }
  return found;
}

function unknownExport(
  values: Readonly<Record<string, unknown>>,
  runnable: readonly string[],
  shown: string,
  name: string,
): UsageError {
  const problem = Object.hasOwn(values, name)
    ? `the export "${name}" cannot be run: it is ${kindOf(values[name])}`
    : `there is no export "${name}"`;
  const choice =
    runnable.length > 0
      ? `name one of ${runnable.map((known) => `${shown}#${known}`).join(", ")}`
      : `nothing in it can be run; it exports ${listed(values)}`;
  return new UsageError("MR_NOTHING_TO_RUN", `${shown}: ${problem}; ${choice}`, {
    details: { exports: Object.keys(values) },
  });
}

function listed(values: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(values);
  if (names.length === 0) return "nothing";
  return names.map((name) => `"${name}" (${kindOf(values[name])})`).join(", ");
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) return "a promise: export what it resolves to, with a top-level await";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "function") return /^class\b/.test(String(value)) ? "a class" : "a function";
  if (typeof value === "object") return "an object";
  return value === undefined ? "undefined" : `a ${typeof value}`;
}
