import type { Mark } from "./contract.ts";
import { KILLS_TO_DEAD_LETTER } from "./protocol.ts";

/** Whether an item that is marked so is to run alone: its fate is not decided, and it may kill its process again. */
export function isSuspect(mark: Mark): boolean {
  return mark.timedOut !== true && mark.isCleared !== true && mark.kills < KILLS_TO_DEAD_LETTER;
}

/** Without time-outs, and with one death too few to decide: such an item runs once more, alone. */
export function forgiven(marks: ReadonlyMap<number, Mark> | undefined): Map<number, Mark> {
  const kept = new Map<number, Mark>();
  for (const [place, mark] of marks ?? []) {
    if (mark.timedOut === true) continue;
    kept.set(place, { ...mark, kills: Math.min(mark.kills, KILLS_TO_DEAD_LETTER - 1) });
  }
  return kept;
}
