/** Marks the options that ready-made work brings along; a registered symbol, so that it is the same in every copy of the package. */
export const OWN_OPTIONS: unique symbol = Symbol.for("millrace.own-options") as never;

/** The options of a node: what the user gave, over what the work brings along. */
export function withOwnOptions(work: unknown, given: unknown): unknown {
  if (typeof work !== "object" || work === null || !(OWN_OPTIONS in work)) return given;
  if (given !== undefined && (typeof given !== "object" || given === null)) return given;
  return { ...(work[OWN_OPTIONS] as object), ...given };
}
