import type { Context } from "../definition/context.ts";
import { decodeStandalone, encodeStandalone } from "../wire/item-codec.ts";
import type { SimulatedCall } from "./simulation-result.ts";

interface Recorded extends Omit<SimulatedCall, "items"> {
  /** Bytes: the function may change its items afterwards. */
  readonly items: readonly Buffer[];
}

/** A call as faults see it. */
export interface SeenCall {
  readonly items: readonly unknown[];
  /** For items that their stage has not had before: the how manieth they are. The first is 1. */
  readonly fresh: readonly number[];
}

/** Every call of a function of a stage or sink. */
export class CallRecord {
  readonly #now: () => number;
  readonly #calls: Recorded[] = [];
  /** By stage: the items that it has had. */
  readonly #known = new Map<string, Set<string>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  add(stage: string, instance: string, items: readonly unknown[], context: Context): SeenCall {
    const infos = context.items;
    const ids = infos.map(({ id }) => id);
    const bytes = items.map((item) => encodeStandalone(item));
    this.#calls.push({
      stage,
      instance,
      items: bytes,
      ids,
      attempt: infos[0]?.attempt ?? 1,
      atMs: this.#now(),
    });
    let known = this.#known.get(stage);
    if (known === undefined) {
      known = new Set();
      this.#known.set(stage, known);
    }
    const fresh: number[] = [];
    for (const id of ids) {
      if (known.has(id)) continue;
      known.add(id);
      fresh.push(known.size);
    }
    return { items, fresh };
  }

  get calls(): SimulatedCall[] {
    return this.#calls.map((call) => ({ ...call, items: call.items.map(decodeStandalone) }));
  }

  /** Of each of these stages: its items, each once. */
  received(stages: readonly string[]): Record<string, unknown[]> {
    const received: Record<string, unknown[]> = Object.fromEntries(stages.map((stage) => [stage, []]));
    const seen = new Set<string>();
    for (const { stage, items, ids } of this.#calls) {
      for (const [i, id] of ids.entries()) {
        const name = `${stage}/${id}`;
        if (seen.has(name)) continue;
        seen.add(name);
        received[stage]?.push(decodeStandalone(items[i] as Buffer));
      }
    }
    return received;
  }
}
