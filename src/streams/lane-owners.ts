import type { Consumer } from "./consumer.ts";
import type { Lane } from "./lane.ts";

/** Items, and bytes, that the instances of an ordered stage may hold at once, over all its lanes. */
const STAGE_ITEMS = 32_768;
const STAGE_BYTES = 32 * 1024 * 1024;
const MIN_LANE_ITEMS = 16;
const MAX_LANE_ITEMS = 1_024;

/**
 * Says which worker has which lane of an ordered stage.
 *
 * W1 Items of a lane are in the hands of one instance at a time: a lane moves only when all that its old owner had
 *    of it is settled or put back.
 * W2 A call may outlive the connection over which its item came. Its instance names the lane when it connects
 *    again; until it says that the call has ended, or its end is certain, nobody else is given the lane.
 * W3 After a restart of the streams process nothing is given before all that had lanes then have said so, or ended.
 */
export class LaneOwners {
  readonly #lanes: readonly Lane[];
  readonly #ownerOf: (string | undefined)[];
  readonly #owned = new Map<string, Lane[]>();
  /** Lane → instances in which a call of it is still running. */
  readonly #reserved = new Map<number, Set<string>>();
  readonly #awaited: Set<string>;
  readonly #mostItems: number;
  readonly #mostBytes: number;

  constructor(lanes: readonly Lane[], awaited: Iterable<string> = []) {
    this.#lanes = lanes;
    this.#ownerOf = lanes.map(() => undefined);
    this.#awaited = new Set(awaited);
    this.#mostItems = Math.max(
      MIN_LANE_ITEMS,
      Math.min(MAX_LANE_ITEMS, Math.floor(STAGE_ITEMS / lanes.length)),
    );
    this.#mostBytes = STAGE_BYTES / lanes.length;
  }

  lanesOf(consumer: Consumer): readonly Lane[] {
    return this.#owned.get(consumer.instance) ?? [];
  }

  /** Whether items of the lane may go to this consumer now. */
  mayGive(lane: Lane, consumer: Consumer): boolean {
    if (this.#awaited.size > 0 || (lane.out > 0 && lane.holder !== consumer)) return false;
    const reserved = this.#reserved.get(lane.number);
    return reserved === undefined || (reserved.size === 1 && reserved.has(consumer.instance));
  }

  /** Items that may be given out of a lane beyond those that are out: what waits for a key must stay bounded. */
  roomIn(lane: Lane): number {
    if (lane.outBytes >= this.#mostBytes && lane.out > 0) return 0;
    return Math.max(0, this.#mostItems - lane.out);
  }

  /** Spreads the lanes over the workers: evenly, and so that as many as possible stay where they are. */
  assign(consumers: Iterable<Consumer>): void {
    const workers = [...consumers].filter(({ role, isLeaving }) => role === "worker" && !isLeaving);
    const former = this.#lanes.map((lane) => this.#formerOf(lane));
    const had = new Map<string, number>();
    for (const owner of former) if (owner !== undefined) had.set(owner, (had.get(owner) ?? 0) + 1);
    const names = workers
      .map(({ instance }) => instance)
      .sort((a, b) => (had.get(b) ?? 0) - (had.get(a) ?? 0));
    const least = Math.floor(this.#lanes.length / names.length);
    const more = this.#lanes.length % names.length;
    const quota = new Map(names.map((name, i) => [name, i < more ? least + 1 : least]));
    this.#owned.clear();
    for (const name of names) this.#owned.set(name, []);
    const give = (lane: Lane, name: string): void => {
      this.#owned.get(name)?.push(lane);
      quota.set(name, (quota.get(name) as number) - 1);
    };
    const rest: Lane[] = [];
    for (const [i, lane] of this.#lanes.entries()) {
      const owner = former[i];
      const stays = owner !== undefined && (quota.get(owner) ?? 0) > 0;
      this.#ownerOf[lane.number] = stays ? owner : undefined;
      if (stays) give(lane, owner);
      else rest.push(lane);
    }
    for (const lane of rest) {
      const name = names.find((known) => (quota.get(known) as number) > 0);
      if (name === undefined) return;
      this.#ownerOf[lane.number] = name;
      give(lane, name);
    }
  }

  #formerOf(lane: Lane): string | undefined {
    const [reserved] = this.#reserved.get(lane.number) ?? [];
    return reserved ?? this.#ownerOf[lane.number];
  }

  /** The instance is back, and has calls of these lanes running. */
  reserve(instance: string, lanes: readonly number[]): void {
    this.#awaited.delete(instance);
    for (const lane of lanes) {
      const reserved = this.#reserved.get(lane) ?? new Set<string>();
      reserved.add(instance);
      this.#reserved.set(lane, reserved);
    }
  }

  /** The instance's calls of these lanes have ended. */
  free(instance: string, lanes: Iterable<number>): void {
    for (const lane of lanes) {
      const reserved = this.#reserved.get(lane);
      if (reserved?.delete(instance) === true && reserved.size === 0) this.#reserved.delete(lane);
    }
  }

  /** The instance's process has ended, and with it all its calls. */
  forget(instance: string): void {
    this.#awaited.delete(instance);
    this.free(instance, [...this.#reserved.keys()]);
  }
}
