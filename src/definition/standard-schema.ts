import { describeValue, UsageError } from "../errors.ts";
import { rule } from "./rule.ts";
import type { SchemaResult, StandardSchema } from "./shape.ts";

/** An option that takes a schema. */
export const standardSchema = rule(
  "a Standard Schema, such as one made with zod, valibot or arktype",
  (value) => (isSchema(value) ? value : undefined),
);

function isSchema(value: unknown): value is StandardSchema {
  // Some libraries' schemas are functions.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const properties: unknown = Reflect.get(value, "~standard");
  return (
    typeof properties === "object" &&
    properties !== null &&
    typeof Reflect.get(properties, "validate") === "function"
  );
}

type Issues = Extract<SchemaResult<unknown>, { issues: object }>["issues"];

/** What a schema says against a value: a path, empty for the value itself, and a message each. */
export function issuesOf(issues: Issues): { path: string; message: string }[] {
  return issues.map(({ path, message }) => ({
    path: (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join("."),
    message,
  }));
}

/**
 * Throws UsageError MR_ITEM_INVALID, with every issue, when a stage's schema refuses an item. What the schema makes
 * of the item is not used: it is a check, and the stage gets what was stored.
 */
export async function checkItem(
  schema: StandardSchema,
  item: unknown,
  where: { readonly stage: string; readonly id: string },
): Promise<void> {
  const subject = `dead letter ${where.id}: the schema of stage ${where.stage}`;
  let result: SchemaResult<unknown>;
  try {
    result = await schema["~standard"].validate(item);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : describeValue(cause);
    throw new UsageError("MR_ITEM_INVALID", `${subject} itself failed: ${what}; fix the schema`, { cause });
  }
  if (result.issues === undefined) return;
  const issues = issuesOf(result.issues);
  const lines = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  throw new UsageError(
    "MR_ITEM_INVALID",
    `${subject} refuses the item: ${lines.join("; ")}; nothing was edited`,
    {
      details: { ...where, issues },
    },
  );
}
