import { firstTargets } from "../coordinator/first-targets.ts";
import { Setbacks } from "../coordinator/setbacks.ts";
import { CANCEL_GRACE_MS, type Hold } from "../coordinator/staff.ts";
import { settledOf } from "../coordinator/stream-sight.ts";
import type { DrainReason } from "../definition/context.ts";
import type { RunHappening } from "../definition/run-event.ts";
import { type Definition, hasStream, type NodeShape } from "../definition/shape.ts";
import type { Env, Socket } from "../env/env.ts";
import { ERROR_CODES, type ErrorCode, type ErrorInfo, errorInfo, RunError } from "../errors.ts";
import type { FromInstance } from "../instance/messages.ts";
import type { StreamConnection } from "../streams/connection.ts";
import type { StatsAnswer } from "../streams/protocol.ts";
import { type InProcessEnd, type InProcessHandle, InProcessInstance } from "./in-process-instance.ts";

export interface InProcessStaffOptions {
  readonly env: Env;
  readonly run: string;
  readonly pipeline: string;
  readonly nodes: readonly NodeShape[];
  readonly instances: ReadonlyMap<string, number>;
  readonly params: unknown;
  /** The split of a job: what it was given. */
  readonly input?: unknown;
  readonly secret: string;
  /** The definition that an instance runs. */
  definitionOf(instance: InProcessHandle): Definition;
  connect(): Socket;
  /** To the streams server. */
  control(): StreamConnection;
  onMessage(stage: string, message: FromInstance): void;
  onHappening(happening: RunHappening): void;
  onSourceDone(source: string): void;
  /** A place for an instance is empty for good. */
  onLeft(stage: string): void;
  /** So much has gone wrong in a row that the run cannot go on. */
  onFailed(error: ErrorInfo): void;
}

/** A place for an instance: kept filled until it is to be left. */
interface Place {
  readonly node: NodeShape;
  readonly role: InProcessInstance["role"];
  instance: InProcessInstance | undefined;
  isLeaving: boolean;
  isCancelled: boolean;
}

const RETRY_MS = 100;
/** How often an instance for suspects is asked whether there are any left. */
const SUSPECTS_LOOK_MS = 1_000;

/** The instances of a run inside this process: kept alive, judged when they are killed, held and scaled. */
export class InProcessStaff {
  readonly #options: InProcessStaffOptions;
  readonly #nodes: ReadonlyMap<string, NodeShape>;
  readonly #places = new Set<Place>();
  readonly #targets: Map<string, number>;
  readonly #held = new Map<string, Hold>();
  readonly #setbacks: Setbacks;
  /** Stages that have an instance for suspects. */
  readonly #tended = new Set<string>();
  #isEnding = false;
  #numbers = 0;

  constructor(options: InProcessStaffOptions) {
    this.#options = options;
    this.#setbacks = new Setbacks(options.pipeline);
    this.#nodes = new Map(options.nodes.map((node) => [node.name, node]));
    this.#targets = firstTargets(options);
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  of(stage: string): number {
    return [...this.#places].filter(({ node }) => node.name === stage).length;
  }

  targetOf(stage: string): number {
    return this.#targets.get(stage) ?? 0;
  }

  holdOf(stage: string): Hold | undefined {
    return this.#held.get(stage);
  }

  async fill(stage: string): Promise<void> {
    const node = this.#nodes.get(stage) as NodeShape;
    for (let missing = this.targetOf(stage) - this.#staying(stage).length; missing > 0; missing--)
      void this.#keep(node, hasStream(node) ? "worker" : "source");
  }

  async add(stage: string): Promise<string> {
    await this.scale(stage, this.targetOf(stage) + 1);
    return `${stage}.${this.#numbers}`;
  }

  #staying(stage: string): Place[] {
    const isStaying = ({ node, role, isLeaving }: Place): boolean =>
      node.name === stage && role !== "suspect" && !isLeaving;
    return [...this.#places].filter(isStaying);
  }

  async scale(stage: string, count: number): Promise<void> {
    this.#targets.set(stage, count);
    if (this.#held.has(stage)) return;
    await this.fill(stage);
    for (const place of this.#staying(stage).slice(count)) this.#leave(place, "scaled", false);
  }

  async hold(stage: string, hold: Hold, now: boolean): Promise<void> {
    this.#held.set(stage, hold);
    if (!hasStream(this.#nodes.get(stage) as NodeShape) && hold === "paused") {
      for (const { instance } of this.#staying(stage)) instance?.pause(true);
      return;
    }
    for (const place of this.#places) if (place.node.name === stage) this.#leave(place, hold, now);
  }

  async release(stage: string): Promise<void> {
    if (!this.#held.delete(stage)) return;
    for (const { instance } of this.#staying(stage)) instance?.pause(false);
    await this.fill(stage);
  }

  /** A stage has nothing more to do. */
  complete(stage: string): void {
    for (const place of this.#places) if (place.node.name === stage) this.#leave(place, "completed", false);
  }

  /** Ends all instances; `now` cuts off what is in hand. */
  end(now: boolean): void {
    this.#isEnding = true;
    for (const place of this.#places) this.#leave(place, "stopped", now);
  }

  #leave(place: Place, reason: DrainReason, now: boolean): void {
    place.isLeaving = true;
    const { instance } = place;
    void instance?.drain(now ? "cancelled" : reason);
    if (!now || place.isCancelled || instance === undefined) return;
    place.isCancelled = true;
    instance.abort();
    this.#options.env.timers.after(CANCEL_GRACE_MS, () => instance.kill("cancelled"), { background: true });
  }

  /** Runs an instance of a node, and another one where its setup or its source has failed, or it was killed. */
  async #keep(node: NodeShape, role: Place["role"]): Promise<void> {
    const place: Place = { node, role, instance: undefined, isLeaving: this.#isEnding, isCancelled: false };
    this.#places.add(place);
    while (!place.isLeaving) {
      const end = await this.#live(place);
      if (end.how === "source-done") this.#options.onSourceDone(node.name);
      const id = place.instance?.id ?? "";
      // What it had not begun is handed back with the verdict that nothing is wrong.
      if (end.how === "drained") await this.#judge(place, id, "drained");
      if (end.how === "source-done" || end.how === "drained") break;
      const settled = end.how === "killed" ? await this.#judge(place, id, end.what) : 0;
      if (role === "suspect" ? !(await this.#hasSuspects(node.name)) : place.isCancelled) break;
      if (role !== "suspect" && this.#isTooMuch(node, end, settled)) break;
      await this.#options.env.timers.sleep(RETRY_MS);
    }
    this.#places.delete(place);
    this.#options.onLeft(node.name);
  }

  async #live(place: Place): Promise<InProcessEnd> {
    const { env, run, params, secret, onHappening } = this.#options;
    const { node, role } = place;
    const stage = node.name;
    const instance = new InProcessInstance({
      env,
      node,
      id: `${stage}.${++this.#numbers}`,
      role,
      run,
      params,
      ...(node.part === "split" && "input" in this.#options && { input: this.#options.input }),
      secret,
      definition: (handle) => this.#options.definitionOf(handle),
      connect: () => this.#options.connect(),
      onMessage: (message) => {
        if (message.kind === "run-failed") this.#options.onFailed(runFailure(run, message.error));
        this.#options.onMessage(stage, message);
      },
      onUp: () => {
        this.#setbacks.started(stage);
        if (this.#held.get(stage) === "paused") instance.pause(true);
        onHappening({ kind: "instance-started", stage, instance: instance.id });
      },
    });
    place.instance = instance;
    const end = await instance.live();
    const cause = end.how === "failed" ? end.cause : end.how;
    onHappening({ kind: "instance-ended", stage, instance: instance.id, cause });
    return end;
  }

  #isTooMuch(node: NodeShape, end: InProcessEnd, settled: number): boolean {
    const isKilled = end.how === "killed";
    const reason = this.#setbacks.add(node, {
      stage: node.name,
      cause: end.how === "failed" ? end.cause : "crashed",
      error: end.how === "failed" ? end.error : undefined,
      progressed: end.how === "failed" && end.progressed,
      settled,
      what: isKilled ? end.what : "it failed",
    });
    if (reason === undefined) return false;
    const { run, onFailed } = this.#options;
    const error = errorInfo(new RunError(reason.code, `run ${run}: ${reason.message}`, { scope: "run" }));
    onFailed({ ...error, stack: (end.how === "failed" ? end.error?.stack : undefined) ?? error.stack });
    return true;
  }

  #scan(): Promise<StatsAnswer> {
    return this.#options.control().request("stats", {});
  }

  /** What a killed instance held is judged before anybody else may take it. Gives what its stage has settled so far. */
  async #judge({ node, role, isCancelled }: Place, instance: string, what: string): Promise<number> {
    const stage = node.name;
    if (role !== "source") {
      const cause = what === "drained" ? what : isCancelled ? "drain-cut-short" : "instance-died";
      const charge = cause === "instance-died" && node.part !== "combine";
      await this.#options
        .control()
        .request("verdict", { instance, stage, charge, external: false, what, cause });
    }
    return settledOf(await this.#scan(), stage);
  }

  async #hasSuspects(stage: string): Promise<boolean> {
    return (await this.#scan()).streams.some(({ name, suspects }) => name === stage && suspects > 0);
  }

  /** Items that were in hand when an instance was killed run alone, in an instance for them. */
  async tendSuspects(stage: string): Promise<void> {
    const node = this.#nodes.get(stage);
    if (node === undefined || this.#tended.has(stage) || this.#isEnding) return;
    this.#tended.add(stage);
    const look = this.#options.env.timers.every(SUSPECTS_LOOK_MS, () => {
      void this.#hasSuspects(stage).then((has) => {
        for (const place of has ? [] : this.#places)
          if (place.node.name === stage && place.role === "suspect") this.#leave(place, "scaled", false);
      });
    });
    await this.#keep(node, "suspect");
    look.cancel();
    this.#tended.delete(stage);
    if (!this.#isEnding && !this.#held.has(stage) && (await this.#hasSuspects(stage)))
      await this.tendSuspects(stage);
  }
}

/** What an instance says of its run, as the run's error. */
function runFailure(run: string, { code, message, stack }: ErrorInfo): ErrorInfo {
  const known = code !== undefined && code in ERROR_CODES ? (code as ErrorCode) : "MR_INTERNAL";
  return { ...errorInfo(new RunError(known, `run ${run}: ${message}`, { scope: "run" })), stack };
}
