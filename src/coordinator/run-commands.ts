import { inputOf, nodeOf, runOver } from "../definition/inputs.ts";
import type { RunHappening } from "../definition/run-event.ts";
import type { NodeShape, PipelineShape } from "../definition/shape.ts";
import { RunError } from "../errors.ts";
import type { ReplyOf } from "../mmop/messages.ts";
import type { Holds } from "./holds.ts";
import type { Hold, Staff } from "./staff.ts";

/** What commands see of a run, and do to it. */
export interface CommandedRun {
  readonly run: string;
  readonly shape: PipelineShape;
  readonly agent: string;
  readonly staff: Pick<Staff, "add" | "scale" | "targetOf" | "hold" | "holdOf" | "release">;
  readonly status: string;
  readonly holds: Holds;
  /** Whether a node has completed, or is about to. */
  isDone(stage: string): boolean;
  look(): Promise<void>;
  emit(happening: RunHappening): void;
  /** A push source takes no more items. */
  closeInput(source: string): Promise<void>;
}

/**
 * What people may ask of a run while it runs. All throw RunError: MR_RUN_UNKNOWN for a stage that is not there,
 * MR_RUN_OVER when the run has ended or is about to, MR_STAGE_STATE for what the stage is not in the state for.
 */
export class RunCommands {
  readonly #of: CommandedRun;
  /** What is held is not completed, also with nothing to do: ends that, by stage. */
  readonly #ends = new Map<string, () => void>();

  constructor(of: CommandedRun) {
    this.#of = of;
  }

  /** One more instance of a stage, answered before it is up. */
  async addInstance(stage: string): Promise<ReplyOf<"coord.start-instance">> {
    const node = this.#of.shape.nodes.find((known) => known.name === stage);
    if (node === undefined) return { outcome: "failure", message: `there is no stage ${stage}`, code: 400 };
    const isSingle = node.kind === "source" || node.part === "combine";
    const isOpen = this.#of.status === "running" && !this.#of.isDone(stage) && !isSingle;
    if (!isOpen) return { outcome: "failure", message: `stage ${stage} takes no more instances`, code: 409 };
    return { outcome: "success", agent: this.#of.agent, id: await this.#of.staff.add(stage) };
  }

  /** Brings the instances of a stage into a range; gives how many it has then. */
  async scale(stage: string, min: number, max: number): Promise<number> {
    const node = this.#stageOf(stage);
    if (node.kind === "source" || node.part === "combine")
      throw cannot(stage, `${node.kind === "source" ? "a source" : "combine"} has exactly one instance`);
    const count = Math.min(max, Math.max(min, this.#of.staff.targetOf(stage)));
    await this.#of.staff.scale(stage, count);
    this.#of.emit({ kind: "scaled", stage, instances: count });
    return count;
  }

  /** What is held gets no more items, until it is released. Without a stage: all of them. */
  async hold(stage: string | undefined, hold: Hold, now: boolean): Promise<void> {
    const stages = this.#stagesOf(stage);
    for (const name of stages) if (!this.#ends.has(name)) this.#ends.set(name, this.#of.holds.hold(name));
    await Promise.all(stages.map((name) => this.#of.staff.hold(name, hold, now)));
    for (const name of stages) this.#of.emit({ kind: "stage", stage: name, status: hold });
    if (stage === undefined) this.#of.emit({ kind: "status", status: "paused" });
  }

  /** Ends a hold. Without a stage: all holds. */
  async release(stage: string | undefined): Promise<void> {
    const held = this.#stagesOf(stage).filter((name) => this.#of.staff.holdOf(name) !== undefined);
    await Promise.all(held.map((name) => this.#of.staff.release(name)));
    for (const name of held) {
      this.#ends.get(name)?.();
      this.#ends.delete(name);
    }
    for (const name of held) this.#of.emit({ kind: "stage", stage: name, status: "running" });
    if (stage === undefined) this.#of.emit({ kind: "status", status: "running" });
    await this.#of.look();
  }

  /** Closes a push source. */
  async closeSource(source: string): Promise<void> {
    inputOf(this.#of.shape, source);
    this.#checkRuns();
    await this.#of.closeInput(source);
    await this.#of.look();
  }

  #stageOf(stage: string): NodeShape {
    const node = nodeOf(this.#of.shape, stage);
    this.#checkRuns();
    if (this.#of.isDone(stage)) throw cannot(stage, "it has completed");
    return node;
  }

  #stagesOf(stage: string | undefined): string[] {
    if (stage !== undefined) return [this.#stageOf(stage).name];
    this.#checkRuns();
    return this.#of.shape.nodes.map(({ name }) => name).filter((name) => !this.#of.isDone(name));
  }

  #checkRuns(): void {
    const { run, status } = this.#of;
    if (status !== "starting" && status !== "running") throw runOver(run, status);
  }
}

function cannot(stage: string, why: string): RunError {
  return new RunError("MR_STAGE_STATE", `stage ${stage}: ${why}; see millrace status`);
}
