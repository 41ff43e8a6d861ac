import { type Rule, rule } from "../definition/rule.ts";
import type { OnBadRow } from "./bad-row.ts";

/** The option `onBadRow`. */
export const onBadRow: Rule<OnBadRow<never>> = rule('"fail", "skip" or a function', (value) =>
  value === "fail" || value === "skip" || typeof value === "function"
    ? (value as OnBadRow<never>)
    : undefined,
);
