import { DefinitionError, describeValue } from "../errors.ts";

const SECRET: unique symbol = Symbol.for("millrace.secret") as never;

/** The name of something that must not stand in a program; see {@link secret}. */
export interface Secret {
  readonly [SECRET]: string;
}

/**
 * Names a secret instead of writing it down: it is read from the environment variable of this name, in the process that
 * needs it, when it needs it. It is stored nowhere and stands in no log.
 *
 * @throws DefinitionError MR_BAD_OPTION when it is no name of a variable.
 */
export function secret(name: string): Secret {
  if (typeof name === "string" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return { [SECRET]: name };
  throw new DefinitionError(
    "MR_BAD_OPTION",
    `secret(): its name must be that of an environment variable, got ${describeValue(name)}; write secret("ORDERS_MQ")`,
  );
}

/** The variable that a secret is in; undefined when it is none. */
export function variableOf(value: unknown): string | undefined {
  return typeof value === "object" && value !== null && SECRET in value ? String(value[SECRET]) : undefined;
}
