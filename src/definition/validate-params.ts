import { describeValue, UsageError } from "../errors.ts";
import type { Definition, SchemaResult, StandardSchema } from "./shape.ts";
import { issuesOf } from "./standard-schema.ts";

/**
 * The params of a run as its stages see them: what the pipeline's schema makes of `raw`. Without a schema a
 * pipeline takes none, and the result is an empty object.
 *
 * @throws UsageError MR_BAD_PARAMS with every issue that the schema has, and for a param that its output lacks.
 */
export async function validateParams(
  definition: Pick<Definition, "name" | "params">,
  raw: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const subject = `params of pipeline ${definition.name}`;
  const names = Object.keys(raw);
  if (definition.params === undefined) {
    if (names.length === 0) return {};
    throw badParams(
      `${subject}: it takes none, got ${names.join(", ")}; give pipeline() a schema as its params option`,
    );
  }
  const result = await validate(definition.params, raw, subject);
  if (result.issues !== undefined) {
    const issues = issuesOf(result.issues);
    const lines = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
    throw badParams(`${subject}: ${lines.join("; ")}; give what the schema asks for`, { issues });
  }
  const { value } = result;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badParams(
      `${subject}: the schema must put out an object, got ${describeValue(value)}; make it an object schema`,
    );
  }
  const unknown = names.filter((name) => !has(value, name));
  if (unknown.length > 0) {
    const known = Object.keys(value);
    const remedy = known.length === 0 ? "leave it out" : `known here are ${known.join(", ")}`;
    throw badParams(`${subject}: unknown param ${unknown.join(", ")}; ${remedy}`, { unknown });
  }
  return value;
}

async function validate(
  schema: StandardSchema,
  raw: unknown,
  subject: string,
): Promise<SchemaResult<unknown>> {
  try {
    return await schema["~standard"].validate(raw);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : describeValue(cause);
    throw new UsageError("MR_BAD_PARAMS", `${subject}: the schema itself failed: ${what}; fix the schema`, {
      cause,
    });
  }
}

function badParams(message: string, details: Readonly<Record<string, unknown>> = {}): UsageError {
  return new UsageError("MR_BAD_PARAMS", message, { details });
}

/** Whether an output has a key, as its own or through a getter of its class, but not merely as every object has. */
function has(value: object, key: string): boolean {
  return Object.hasOwn(value, key) || (key in value && !(key in Object.prototype));
}
