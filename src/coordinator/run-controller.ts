import type { NodeShape, PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { type ErrorInfo, ensureError, errorInfo, MillraceError, RunError } from "../errors.ts";
import type { MmopClient } from "../mmop/client.ts";
import type { BodyOf, ReplyOf } from "../mmop/messages.ts";
import { unfedComponents } from "./completion.ts";
import { Holds } from "./holds.ts";
import { quietNodes } from "./quiet-nodes.ts";
import { Setbacks } from "./setbacks.ts";
import { settledOf, sightOf } from "./stream-sight.ts";

export type RunStatus = "starting" | "running" | "draining" | "completed" | "stopped" | "failed";
export type Stats = ReplyOf<"agent.streams-stats">;

export interface Deployment {
  readonly run: string;
  readonly shape: PipelineShape;
  readonly agent: string;
  /** Instances of nodes for which it was said when the run was started; the others go by their own settings. */
  readonly instances: ReadonlyMap<string, number>;
}

interface Wanted {
  readonly id: string;
  readonly stage: string;
}

export const DRAIN_GRACE_MS = 30_000;
/** A page of large letters takes its time. */
const REPLAY = { timeoutMs: 60_000 };
/** A look at the streams that nothing has asked for: an event may have been lost. */
const LOOK_MS = 1_000;

/** Brings one run from start to its end: places instances, completes stages as they run dry, stops or fails it. */
export class RunController {
  readonly deployment: Deployment;
  readonly startedAtMs: number;
  readonly #env: Env;
  readonly #client: MmopClient;
  readonly #setbacks = new Setbacks();
  readonly #wanted = new Map<string, Wanted>();
  readonly #draining = new Set<string>();
  readonly #complete = new Set<string>();
  readonly #holds = new Holds();
  readonly #over: (() => void)[] = [];
  #looking = false;
  #lookAgain = false;
  #stopNow = false;
  status: RunStatus = "starting";
  error: ErrorInfo | undefined;
  /** The last that was seen of the streams; final once the run is over. */
  stats: Stats | undefined;

  constructor(env: Env, client: MmopClient, deployment: Deployment) {
    this.#env = env;
    this.#client = client;
    this.deployment = deployment;
    this.startedAtMs = env.clock.now();
  }

  get instances(): number {
    return this.#wanted.size;
  }

  instancesOf(stage: string): number {
    return [...this.#wanted.values()].filter((wanted) => wanted.stage === stage).length;
  }

  isCompleted(stage: string): boolean {
    return this.#complete.has(stage);
  }

  /** Starts all instances: consumers first, so that nothing piles up while they load; no source that has ended. */
  async start(doneSources: readonly string[] = []): Promise<void> {
    const { shape, instances } = this.deployment;
    for (const source of doneSources) this.#complete.add(source);
    const starts: Promise<void>[] = [];
    for (const node of [...shape.nodes].reverse()) {
      if (this.#complete.has(node.name)) continue;
      const count = node.kind === "source" ? 1 : (instances.get(node.name) ?? node.settings.instances.min);
      for (let i = 1; i <= count; i++) starts.push(this.#startInstance(node, `${node.name}.${i}`));
    }
    await Promise.all(starts);
    if (this.status === "starting") this.status = "running";
    this.#scheduleLook();
  }

  async #startInstance(node: NodeShape, id: string): Promise<void> {
    const { agent, run } = this.deployment;
    this.#wanted.set(id, { id, stage: node.name });
    const role = node.kind === "source" ? "source" : "worker";
    const reply = await this.#client.request("agent.start-instance", agent, {
      run,
      stage: node.name,
      id,
      role,
    });
    if (reply.outcome === "failure")
      this.fail("MR_INSTANCE_FAILING", `stage ${node.name}: no instance could be started: ${reply.reason}`);
  }

  /** One more instance of a stage, answered before it is up. */
  async addInstance(stage: string): Promise<ReplyOf<"coord.start-instance">> {
    const node = this.deployment.shape.nodes.find((known) => known.name === stage);
    if (node === undefined) return { outcome: "failure", message: `there is no stage ${stage}`, code: 400 };
    const isOpen = this.status === "running" && !this.#draining.has(stage) && node.kind !== "source";
    if (!isOpen) return { outcome: "failure", message: `stage ${stage} takes no more instances`, code: 409 };
    const number = Math.max(...[...this.#numbers(stage)], 0) + 1;
    const id = `${stage}.${number}`;
    await this.#startInstance(node, id);
    return { outcome: "success", agent: this.deployment.agent, id };
  }

  *#numbers(stage: string): Generator<number> {
    for (const wanted of this.#wanted.values()) {
      if (wanted.stage === stage) yield Number(wanted.id.slice(stage.length + 1));
    }
  }

  #scheduleLook(): void {
    this.#env.timers.after(
      LOOK_MS,
      () => {
        if (this.isOver) return;
        void this.look();
        this.#scheduleLook();
      },
      { background: true },
    );
  }

  onStarted(body: BodyOf<"evt.instance-started">): void {
    this.#setbacks.started(body.stage);
  }

  async onExited(body: BodyOf<"evt.instance-exited">): Promise<void> {
    const { id, stage, cause } = body;
    const node = this.deployment.shape.nodes.find((known) => known.name === stage);
    if (cause === "drained" || cause === "source-done" || cause === "killed") {
      this.#wanted.delete(id);
      if (cause === "source-done") this.#complete.add(stage);
      if (this.#draining.has(stage) && this.instancesOf(stage) === 0 && this.status === "running")
        this.#complete.add(stage);
      await this.#moved();
      return;
    }
    if (node === undefined || this.isOver) return;
    const stats = await this.scan().catch(() => this.stats);
    const reason = this.#setbacks.add(node, {
      stage,
      cause,
      error: body.error,
      progressed: body.progressed,
      settled: settledOf(stats, stage),
      what: body.signal === null ? `exit code ${body.code}` : `signal ${body.signal}`,
    });
    if (reason !== undefined) this.fail(reason.code, reason.message, body.error);
  }

  async #moved(): Promise<void> {
    if (this.status === "draining" && this.#wanted.size === 0) {
      // What the instances settled while they drained is part of the result.
      await this.scan().catch(() => undefined);
      this.#finish(this.error === undefined ? "stopped" : "failed");
      return;
    }
    await this.look();
  }

  /** The streams as they are now. */
  async scan(): Promise<Stats> {
    this.stats = await this.#client.request("agent.streams-stats", this.deployment.agent, {
      run: this.deployment.run,
    });
    return this.stats;
  }

  /** Looks whether stages have become complete; one look at a time, and one more if something happened meanwhile. */
  async look(): Promise<void> {
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    try {
      do {
        this.#lookAgain = false;
        await this.#lookOnce();
      } while (this.#lookAgain && !this.isOver);
    } catch (error) {
      // n.b. the streams process may be on its way up again; the next look will tell.
      if (error instanceof MillraceError && error.code === "MR_RUN_UNKNOWN") throw error;
    } finally {
      this.#looking = false;
    }
  }

  async #lookOnce(): Promise<void> {
    if (this.status !== "running") return;
    const { shape } = this.deployment;
    // Streams run empty all the time; it means something only where nothing upstream can fill them again.
    const isOver = shape.nodes.every((node) => this.#complete.has(node.name));
    const progress = { shape, complete: this.#complete };
    const isPossible = unfedComponents(progress).some((component) =>
      component.some((stage) => !this.#draining.has(stage)),
    );
    if (!isPossible && !isOver) return;
    const quiet = await quietNodes(progress, this.#holds, async () => sightOf(await this.scan()));
    const isStill = quiet !== undefined && !quiet.some((stage) => this.#holds.has(stage));
    if (!isStill) this.#lookAgain = true;
    const candidates = isStill ? quiet.filter((stage) => !this.#draining.has(stage)) : [];
    // n.b. all of them before the first is told: from here on nothing is put back on any of them.
    for (const stage of candidates) this.#draining.add(stage);
    for (const stage of candidates) {
      await this.#client.request("agent.complete-stage", this.deployment.agent, {
        run: this.deployment.run,
        stage,
      });
      if (this.instancesOf(stage) === 0) this.#complete.add(stage);
    }
    if (shape.nodes.every((node) => this.#complete.has(node.name))) {
      await this.scan();
      this.#finish("completed");
    }
  }

  /** Puts dead letters back on a stage, which is not completed meanwhile. Throws RunError MR_STAGE_COMPLETED. */
  async replay(stage: string, ids: readonly string[]): Promise<ReplyOf<"coord.dead-replay">> {
    const { agent, run } = this.deployment;
    if (this.isOver || this.#draining.has(stage) || this.#complete.has(stage)) {
      throw new RunError("MR_STAGE_COMPLETED", `stage ${stage} of run ${run}: it has completed`);
    }
    const release = this.#holds.hold(stage);
    try {
      return await this.#client.request("agent.dead-replay", agent, { run, stage, ids }, REPLAY);
    } finally {
      release();
      void this.look();
    }
  }

  /** Drains everything, sources first; with `now` ends it at once. What is unfinished is kept. */
  async stop(now: boolean, error?: ErrorInfo): Promise<void> {
    if (this.isOver) return;
    this.error ??= error;
    const { agent } = this.deployment;
    if (now && !this.#stopNow) {
      this.#stopNow = true;
      this.status = "draining";
      await Promise.all(
        [...this.#wanted.keys()].map((id) => this.#client.request("agent.stop-instance", agent, { id })),
      );
    } else if (this.status !== "draining") {
      this.status = "draining";
      const known = await Promise.all(
        [...this.#wanted.keys()].map(async (id) => {
          const reply = await this.#client.request("agent.drain-instance", agent, {
            id,
            reason: "stopped",
            graceMs: DRAIN_GRACE_MS,
          });
          return { id, known: reply.known };
        }),
      );
      for (const { id, known: isKnown } of known) if (!isKnown) this.#wanted.delete(id);
    }
    await this.#moved();
  }

  /** The run cannot go on: it is stopped, items are kept. */
  fail(code: MillraceError["code"], message: string, cause?: ErrorInfo): void {
    if (this.isOver || this.error !== undefined) return;
    const error = errorInfo(new RunError(code, `run ${this.deployment.run}: ${message}`, { scope: "run" }));
    this.error = cause === undefined ? error : { ...error, stack: cause.stack };
    void this.stop(false, this.error).catch((thrown) => {
      this.error ??= errorInfo(ensureError(thrown));
      this.#finish("failed");
    });
  }

  #finish(status: "completed" | "stopped" | "failed"): void {
    if (this.isOver) return;
    this.status = status;
    for (const listener of this.#over.splice(0)) listener();
  }

  get isOver(): boolean {
    return this.status === "completed" || this.status === "stopped" || this.status === "failed";
  }

  whenOver(): Promise<void> {
    return this.isOver ? Promise.resolve() : new Promise((resolve) => this.#over.push(resolve));
  }
}
