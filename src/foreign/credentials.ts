import { type Secret, variableOf } from "../definition/secret.ts";
import { environmentVariable } from "../env/environment-variable.ts";
import { DefinitionError, StageError } from "../errors.ts";

/** Who we are to a broker: a secret holds `user:password`, or a password alone. */
export type Credentials = Secret | { readonly user: string; readonly password: string };

/** Throws DefinitionError MR_BAD_OPTION when it is neither; a secret is not read yet. */
export function checkCredentials(given: unknown, subject: string): void {
  if (given === undefined || variableOf(given) !== undefined) return;
  const { user, password } = (given ?? {}) as { readonly user?: unknown; readonly password?: unknown };
  if (typeof user === "string" && typeof password === "string") return;
  // n.b. what was given stays out of the message.
  throw new DefinitionError(
    "MR_BAD_OPTION",
    `${subject}: credentials must be secret("NAME") or { user, password }; give one of them, or leave it out`,
  );
}

/** Throws StageError MR_SETUP_FAILED when the variable of a secret is not set. */
export function resolveCredentials(
  given: unknown,
  subject: string,
): { readonly user: string; readonly password: string } | undefined {
  const variable = variableOf(given);
  if (variable === undefined) return given as { user: string; password: string } | undefined;
  const value = environmentVariable(variable);
  if (value === undefined) {
    throw new StageError(
      "MR_SETUP_FAILED",
      `${subject}: the environment variable ${variable} is not set; set it to user:password where millrace is started`,
      { scope: "instance" },
    );
  }
  const colon = value.indexOf(":");
  return colon < 0
    ? { user: "", password: value }
    : { user: value.slice(0, colon), password: value.slice(colon + 1) };
}
