import type { Lane } from "./lane.ts";
import { LANE_WEIGHTS } from "./lanes.ts";

/** What a consumer is to be given: so many items of a lane, then so many of the next … */
export type LanePlan = readonly (readonly [lane: Lane, items: number])[];

/**
 * Shares out the lanes of priorities by weight: where all have items, 16 high ones, 4 normal ones and a low one
 * come in a round, the high ones first; a lane that is alone has no limit. So high overtakes whatever waits, and
 * low never starves.
 */
export class LaneWeights {
  /** What is left to each lane in this round, by number of the lane. */
  readonly #left: number[] = LANE_WEIGHTS.map(() => 0);

  plan(lanes: readonly Lane[], items: number): LanePlan {
    const [only] = lanes;
    if (lanes.length === 1 && only !== undefined) return [[only, items]];
    const byWeight = [...lanes].sort((a, b) => weightOf(b) - weightOf(a));
    const rest = new Map(byWeight.map((lane) => [lane, lane.items]));
    // Larger rounds for those who take many: the frames are cut less often, the shares are the same.
    const scale = Math.max(1, Math.floor(items / 64));
    const plan: [Lane, number][] = [];
    for (let left = items; left > 0; ) {
      const filled = byWeight.filter((lane) => (rest.get(lane) as number) > 0);
      const [first] = filled;
      if (first === undefined) break;
      if (filled.length === 1) {
        plan.push([first, Math.min(left, rest.get(first) as number)]);
        break;
      }
      const lane = filled.find(({ number }) => (this.#left[number] as number) > 0);
      if (lane === undefined) {
        for (const [number, weight] of LANE_WEIGHTS.entries()) this.#left[number] = weight * scale;
        continue;
      }
      const take = Math.min(left, rest.get(lane) as number, this.#left[lane.number] as number);
      this.#left[lane.number] = (this.#left[lane.number] as number) - take;
      rest.set(lane, (rest.get(lane) as number) - take);
      plan.push([lane, take]);
      left -= take;
    }
    return plan;
  }
}

function weightOf(lane: Lane): number {
  return LANE_WEIGHTS[lane.number] as number;
}

/** Deals a credit out to lanes alike, each up to what it may give; `turn` says which is first. */
export function evenPlan(lanes: LanePlan, credit: number, turn: number): LanePlan {
  const plan: [Lane, number][] = [];
  let left = credit;
  for (let i = 0; i < lanes.length && left > 0; i++) {
    const [lane, most] = lanes[(turn + i) % lanes.length] as LanePlan[number];
    const share = Math.min(most, Math.ceil(left / (lanes.length - i)));
    plan.push([lane, share]);
    left -= share;
  }
  return plan;
}
