import type { Durability } from "../contract.ts";

const STRENGTHS: readonly Durability[] = ["nothing", "process-death", "power-loss"];

/** What is survived by what lies in two places, and is of use only with both. */
export function weaker(one: Durability, other: Durability): Durability {
  return STRENGTHS.indexOf(one) < STRENGTHS.indexOf(other) ? one : other;
}
