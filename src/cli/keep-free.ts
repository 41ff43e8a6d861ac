import { parseSize } from "../definition/size.ts";
import { UsageError } from "../errors.ts";

/** The bytes that `--keep-free` names. Throws UsageError MR_USAGE. */
export function keepFreeOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const bytes = given === "0" ? 0 : parseSize(given);
  if (bytes !== undefined) return bytes;
  throw new UsageError(
    "MR_USAGE",
    `--keep-free ${JSON.stringify(given)}: write a size like 512MB or 2GB, or 0 to use all of the disk`,
  );
}
