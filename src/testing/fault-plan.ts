import { describeValue, UsageError } from "../errors.ts";
import type { SeenCall } from "./call-record.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Faults, KillPoint } from "./simulate-options.ts";

/** What befalls an instance in a call. */
export interface Fault {
  readonly kind: "redeliver" | "kill";
  /** The function is called all the same. */
  readonly after: boolean;
}

interface Kill {
  readonly matches: (call: SeenCall) => boolean;
  readonly after: boolean;
}

type Redeliver = number | readonly number[];

const REDELIVER: Fault = { kind: "redeliver", after: true };

/** Decides which calls go wrong. */
export class FaultPlan {
  readonly #random: SeededRandom;
  readonly #redeliver = new Map<string, Redeliver>();
  readonly #kills = new Map<string, readonly Kill[]>();

  /** Throws UsageError MR_USAGE for a fault that cannot be, or of a stage that is not there. */
  constructor(faults: Faults, nodes: ReadonlyMap<string, { readonly kind: string }>, random: SeededRandom) {
    this.#random = random;
    const { redeliver = 0, killAt = {}, ...others } = faults;
    const [other] = Object.keys(others);
    if (other !== undefined) throw bad(other, "known are redeliver and killAt");
    const takers = [...nodes].filter(([, { kind }]) => kind !== "source").map(([name]) => name);
    if (typeof redeliver !== "object") {
      checkRedeliver("redeliver", redeliver);
      for (const stage of takers) this.#redeliver.set(stage, redeliver);
    } else {
      for (const [stage, which] of Object.entries(redeliver)) {
        if (!takers.includes(stage)) throw bad(`redeliver.${stage}`, `there is no stage or sink ${stage}`);
        checkRedeliver(`redeliver.${stage}`, which);
        this.#redeliver.set(stage, which);
      }
    }
    for (const [stage, points] of Object.entries(killAt)) {
      if (!nodes.has(stage)) throw bad(`killAt.${stage}`, `there is no ${stage} in the pipeline`);
      const list: readonly KillPoint[] = Array.isArray(points) ? points : [points as KillPoint];
      this.#kills.set(
        stage,
        list.map((point) => killOf(stage, point)),
      );
    }
  }

  /** Whether instances of it are ever killed. */
  kills(stage: string): boolean {
    return this.#kills.has(stage);
  }

  of(stage: string, call: SeenCall): Fault | undefined {
    for (const { matches, after } of this.#kills.get(stage) ?? [])
      if (matches(call)) return { kind: "kill", after };
    const which = this.#redeliver.get(stage) ?? 0;
    if (which === 0) return undefined;
    const isHit = (place: number): boolean =>
      typeof which === "number" ? this.#random.float() < which : which.includes(place);
    return call.fresh.filter(isHit).length > 0 ? REDELIVER : undefined;
  }
}

function killOf(stage: string, point: KillPoint): Kill {
  const { item, after = false } = typeof point === "object" ? point : { item: point };
  if (typeof item === "function")
    return { matches: ({ items }) => items.some((each) => item(each as never)), after };
  if (!Number.isSafeInteger(item) || item < 1)
    throw bad(
      `killAt.${stage}`,
      `${describeValue(item)} names no item; give its number, from 1, or a function`,
    );
  return { matches: ({ fresh }) => fresh.includes(item), after };
}

function checkRedeliver(place: string, which: unknown): void {
  const isShare = typeof which === "number" && which >= 0 && which <= 1;
  const isList = Array.isArray(which) && which.every((item) => Number.isSafeInteger(item) && item >= 1);
  if (!isShare && !isList)
    throw bad(place, `${describeValue(which)} is neither a share from 0 to 1 nor a list of items, from 1`);
}

function bad(place: string, what: string): UsageError {
  return new UsageError("MR_USAGE", `simulate: faults.${place}: ${what}`);
}
