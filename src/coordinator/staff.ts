import type { DrainReason } from "../definition/context.ts";
import { hasStream, type NodeShape } from "../definition/shape.ts";
import type { MmopClient } from "../mmop/client.ts";
import { firstTargets } from "./first-targets.ts";

/** How long an instance that is drained may go on with what it has in hand. */
export const DRAIN_GRACE_MS = 30_000;
/** How long a call may go on that is cancelled: its signal has aborted. */
export const CANCEL_GRACE_MS = 1_000;

export interface StaffOptions {
  readonly client: MmopClient;
  readonly agent: string;
  readonly run: string;
  readonly nodes: readonly NodeShape[];
  /** Instances of nodes for which it was said when the run was started; the others go by their own settings. */
  readonly instances: ReadonlyMap<string, number>;
  onRefused(stage: string, reason: string): void;
}

/** Why a stage has no instances, or a source waits. */
export type Hold = "paused" | "stopped";

/**
 * The instances of a run: how many each node is to have, and which there are.
 *
 * W1 An id is used once: the streams process remembers whose end was judged.
 * W2 A held node has no instances; a source that is iterated over keeps its own while it is paused, and waits, since
 *    one without tokens would start over.
 */
export class Staff {
  readonly #options: StaffOptions;
  readonly #nodes: ReadonlyMap<string, NodeShape>;
  /** Id to node, of all that have not ended. */
  readonly #present = new Map<string, string>();
  /** Of these, the ones that have been told to end. */
  readonly #leaving = new Set<string>();
  readonly #lastNumbers = new Map<string, number>();
  readonly #targets: Map<string, number>;
  readonly #held = new Map<string, Hold>();

  constructor(options: StaffOptions) {
    this.#options = options;
    this.#nodes = new Map(options.nodes.map((node) => [node.name, node]));
    this.#targets = firstTargets(options);
  }

  get isEmpty(): boolean {
    return this.#present.size === 0;
  }

  /** Instances of a stage that are there, those that are ending included. */
  of(stage: string): number {
    let count = 0;
    for (const name of this.#present.values()) if (name === stage) count++;
    return count;
  }

  targetOf(stage: string): number {
    return this.#targets.get(stage) ?? 0;
  }

  holdOf(stage: string): Hold | undefined {
    return this.#held.get(stage);
  }

  /** Starts what a node lacks. */
  async fill(stage: string): Promise<void> {
    const starts: Promise<void>[] = [];
    for (let missing = this.targetOf(stage) - this.#staying(stage).length; missing > 0; missing--)
      starts.push(this.#start(this.#nodes.get(stage) as NodeShape));
    await Promise.all(starts);
  }

  /** One more instance; gives its id. */
  async add(stage: string): Promise<string> {
    this.#targets.set(stage, this.targetOf(stage) + 1);
    await this.fill(stage);
    return `${stage}.${this.#lastNumbers.get(stage)}`;
  }

  async #start(node: NodeShape): Promise<void> {
    const { client, agent, run } = this.#options;
    const number = (this.#lastNumbers.get(node.name) ?? 0) + 1;
    this.#lastNumbers.set(node.name, number);
    const id = `${node.name}.${number}`;
    this.#present.set(id, node.name);
    const role = hasStream(node) ? "worker" : "source";
    const reply = await client.request("agent.start-instance", agent, { run, stage: node.name, id, role });
    if (reply.outcome === "failure") this.#options.onRefused(node.name, reply.reason);
  }

  #staying(stage: string): string[] {
    return [...this.#present]
      .filter(([id, name]) => name === stage && !this.#leaving.has(id))
      .map(([id]) => id);
  }

  /** Sets how many instances a stage has; those that are too many finish what is in hand. */
  async scale(stage: string, count: number): Promise<void> {
    this.#targets.set(stage, count);
    if (this.#held.has(stage)) return;
    await this.fill(stage);
    await this.#drain(this.#staying(stage).slice(count), "scaled");
  }

  /** Holds a node; `now` cuts off what is in hand. One that is held for another reason changes it. */
  async hold(stage: string, hold: Hold, now: boolean): Promise<void> {
    const before = this.#held.get(stage);
    this.#held.set(stage, hold);
    const node = this.#nodes.get(stage) as NodeShape;
    if (!hasStream(node) && hold === "paused") {
      if (before === undefined) await this.#pause(stage, true);
      return;
    }
    const ids = [...this.#present].filter(([, name]) => name === stage).map(([id]) => id);
    if (now) await this.#cancel(ids);
    else await this.#drain(ids, hold);
  }

  async release(stage: string): Promise<void> {
    if (!this.#held.delete(stage)) return;
    if (!hasStream(this.#nodes.get(stage) as NodeShape)) await this.#pause(stage, false);
    await this.fill(stage);
  }

  async #pause(source: string, paused: boolean): Promise<void> {
    const { client, agent } = this.#options;
    for (const id of this.#staying(source))
      await client.request("agent.pause-instance", agent, { id, paused });
  }

  /** Ends all instances; `now` cuts off what is in hand. */
  async end(now: boolean): Promise<void> {
    const ids = [...this.#present.keys()];
    if (now) await this.#cancel(ids);
    else await this.#drain(ids, "stopped");
  }

  async #drain(ids: readonly string[], reason: DrainReason): Promise<void> {
    const { client, agent } = this.#options;
    const drain = async (id: string): Promise<void> => {
      this.#leaving.add(id);
      const { known } = await client.request("agent.drain-instance", agent, {
        id,
        reason,
        graceMs: DRAIN_GRACE_MS,
      });
      if (!known) this.left(id);
    };
    await Promise.all(ids.filter((id) => !this.#leaving.has(id)).map(drain));
  }

  async #cancel(ids: readonly string[]): Promise<void> {
    const { client, agent } = this.#options;
    for (const id of ids) this.#leaving.add(id);
    const cancel = async (id: string): Promise<void> => {
      const { known } = await client.request("agent.stop-instance", agent, { id, graceMs: CANCEL_GRACE_MS });
      if (!known) this.left(id);
    };
    await Promise.all(ids.map(cancel));
  }

  /** An instance has ended for good. */
  left(id: string): void {
    this.#present.delete(id);
    this.#leaving.delete(id);
  }
}
