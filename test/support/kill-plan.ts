import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { KILL_KINDS, type KillKind } from "./delivery-verdict.ts";
import type { RoundPlan } from "./kill-round.ts";

const MOST_KILLS = 3;

/**
 * Deals out kills to rounds: each kind so many times, one to three a round, in a random order that the seed
 * determines. A suspect comes into being by the death of an instance, so its kill comes with one of that kind.
 */
export function planRounds(seed: number, rounds: number, ofEachKind: number): RoundPlan[] {
  const random = new SeededRandom(seed);
  const units = KILL_KINDS.flatMap((kind) =>
    Array.from({ length: ofEachKind }, (): KillKind[] =>
      kind === "suspect" ? [random.pick(["stage", "sink", "sink"] as const), "suspect"] : [kind],
    ),
  );
  const plans: KillKind[][] = Array.from({ length: rounds }, () => []);
  // The long ones first, while there is room for them; every round gets one before any gets two.
  const dealt = random.shuffle(units).sort((a, b) => b.length - a.length);
  for (const unit of dealt) {
    const open = random
      .shuffle(plans)
      .filter((plan) => plan.length + unit.length <= MOST_KILLS)
      .sort((a, b) => Math.min(1, a.length) - Math.min(1, b.length));
    const [plan] = open;
    if (plan === undefined) throw new Error(`${units.length} kills do not fit into ${rounds} rounds`);
    if (random.float() < 0.5) plan.push(...unit);
    else plan.unshift(...unit);
  }
  return random.shuffle(plans).map((kinds, round) => ({ seed: seed * 1_000 + round, kinds }));
}

/** The same, and in each round the server of a broker is killed as well. */
export function planBrokerRounds(seed: number, rounds: number, ofEachKind: number): RoundPlan[] {
  const random = new SeededRandom(seed);
  return planRounds(seed, rounds, ofEachKind).map(({ kinds, ...plan }) => {
    const all = [...kinds];
    // n.b. not between a kill and that of the suspect which it makes.
    const places = [...all.keys(), all.length].filter((at) => all[at] !== "suspect");
    all.splice(random.pick(places), 0, "server");
    return { ...plan, kinds: all };
  });
}
