import type { Field } from "../../src/mmop/schema.ts";

export interface Mutation {
  /** Path of the field that the refusal must name. */
  readonly path: string;
  readonly what: string;
  readonly value: unknown;
}

/** Values of every JSON type; each scalar of the protocol refuses most of them. */
const STRANGERS: readonly unknown[] = [null, true, "§", -1.5, [], {}, 2 ** 60];

/** By what a field expects: which values it may take. Written apart from the schema, as its judge. */
function mayTake(expects: string, value: unknown): boolean {
  if (expects.endsWith(", or null"))
    return value === null || mayTake(expects.slice(0, -", or null".length), value);
  if (expects.startsWith("one of "))
    return expects
      .slice("one of ".length)
      .split(", ")
      .includes(value as string);
  switch (expects) {
    case "any JSON":
      return true;
    case "text":
      return typeof value === "string";
    case "true or false":
      return typeof value === "boolean";
    case "number":
      return typeof value === "number";
    case "integer from 0":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "list":
      return Array.isArray(value);
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      throw new Error(`a field expects ${expects}: say here what that is`);
  }
}

/** Everything that can be wrong with one field of `sample`: left out, or of another type. */
export function mutationsOf(field: Field<unknown>, sample: unknown): Mutation[] {
  const mutations: Mutation[] = [];
  const visit = (at: Field<unknown>, value: unknown, path: string[]): void => {
    for (const stranger of STRANGERS) {
      if (path.length > 0 && !mayTake(at.expects, stranger)) {
        const what = `is ${JSON.stringify(stranger)}`;
        mutations.push({ path: path.join("."), what, value: replaced(sample, path, stranger) });
      }
    }
    for (const [key, child] of childrenOf(at, value)) {
      const childPath = [...path, key];
      if (at.fields !== undefined && !child.optional) {
        mutations.push({ path: childPath.join("."), what: "is missing", value: replaced(sample, childPath) });
      }
      visit(child, (value as Record<string, unknown>)[key], childPath);
    }
  };
  visit(field, sample, []);
  return mutations;
}

function childrenOf(field: Field<unknown>, value: unknown): [string, Field<unknown>][] {
  if (typeof value !== "object" || value === null) return [];
  if (field.fields !== undefined) return Object.entries(field.fields);
  const parts = field.parts ?? [];
  if (parts.length === 2) {
    const variant = parts[(value as { outcome?: unknown }).outcome === "success" ? 0 : 1];
    return Object.entries(variant?.fields ?? {});
  }
  return parts.length === 1 ? Object.keys(value).map((key) => [key, parts[0] as Field<unknown>]) : [];
}

function replaced(sample: unknown, path: readonly string[], value?: unknown): unknown {
  const copy = structuredClone(sample);
  let holder = copy as Record<string, unknown>;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  const last = path.at(-1) as string;
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}
