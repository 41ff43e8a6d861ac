import { UsageError } from "../errors.ts";
import { jsonObstacle } from "./json-safe.ts";

/**
 * Params travel to instances as JSON.
 *
 * @throws UsageError MR_BAD_PARAMS naming the first param that JSON would lose or change.
 */
export function checkJsonParams(params: unknown, subject: string): void {
  const obstacle = jsonObstacle(params);
  if (obstacle === undefined) return;
  const where = obstacle.path === "" ? "the params are" : `the param ${obstacle.path} is`;
  throw new UsageError(
    "MR_BAD_PARAMS",
    `${subject}: ${where} ${obstacle.what}, which does not travel as JSON; use text or numbers, and convert in the stage`,
    { details: { path: obstacle.path } },
  );
}
