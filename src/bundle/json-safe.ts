/** The part of a value that JSON would lose or change. */
export interface JsonObstacle {
  /** Dotted, from the value's root; empty for the root. */
  readonly path: string;
  readonly what: string;
}

/**
 * Finds the first part of `value` that does not come back from JSON as it was. A property that is undefined is
 * fine: it is left out, and reads the same afterwards.
 */
export function jsonObstacle(value: unknown): JsonObstacle | undefined {
  return search(value, "", []);
}

function search(value: unknown, path: string, above: readonly object[]): JsonObstacle | undefined {
  const what = leafObstacle(value);
  if (what !== undefined) return { path, what };
  if (typeof value !== "object" || value === null) return undefined;
  if (above.includes(value)) return { path, what: "a reference back to what contains it" };
  const inside = [...above, value];
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const element: unknown = value[i];
      const found =
        element === undefined
          ? { path: `${path}[${i}]`, what: "undefined in an array" }
          : search(element, `${path}[${i}]`, inside);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [key, property] of Object.entries(value)) {
    if (property === undefined) continue;
    const found = search(property, path === "" ? key : `${path}.${key}`, inside);
    if (found !== undefined) return found;
  }
  return undefined;
}

function leafObstacle(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : `the number ${value}`;
    case "object": {
      if (value === null || Array.isArray(value)) return undefined;
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype === null || prototype === Object.prototype) {
        return typeof (value as { toJSON?: unknown }).toJSON === "function"
          ? "an object with toJSON"
          : undefined;
      }
      const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
      return typeof name === "string" && name !== "" ? `a ${name}` : "an object of a class";
    }
    default:
      return `a ${typeof value}`;
  }
}
