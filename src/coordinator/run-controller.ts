import type { PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { type ErrorInfo, ensureError, errorInfo, MillraceError, RunError } from "../errors.ts";
import type { MmopClient } from "../mmop/client.ts";
import type { BodyOf, ReplyOf } from "../mmop/messages.ts";
import { hasOpenInput, mayComplete, type Progress } from "./completion.ts";
import { Holds } from "./holds.ts";
import { quietNodes } from "./quiet-nodes.ts";
import { RunCommands } from "./run-commands.ts";
import { RunEvents } from "./run-events.ts";
import { Setbacks } from "./setbacks.ts";
import { type Hold, Staff } from "./staff.ts";
import { noteClosed, settledOf, sightOf } from "./stream-sight.ts";

export type RunStatus = "starting" | "running" | "draining" | "completed" | "stopped" | "failed";
export type Stats = ReplyOf<"agent.streams-stats">;

export interface Deployment {
  readonly run: string;
  readonly shape: PipelineShape;
  readonly agent: string;
  /** Instances of nodes for which it was said when the run was started; the others go by their own settings. */
  readonly instances: ReadonlyMap<string, number>;
}

/** A page of large letters takes its time. */
const REPLAY = { timeoutMs: 60_000 };
/** A look at the streams that nothing has asked for: an event may have been lost. */
const LOOK_MS = 1_000;

/** Brings one run from start to its end: places instances, completes stages as they run dry, stops or fails it. */
export class RunController {
  readonly deployment: Deployment;
  readonly commands: RunCommands;
  readonly startedAtMs: number;
  readonly #env: Env;
  readonly #client: MmopClient;
  readonly #setbacks: Setbacks;
  readonly #staff: Staff;
  readonly #draining = new Set<string>();
  readonly #complete = new Set<string>();
  readonly #holds = new Holds();
  readonly #over: (() => void)[] = [];
  readonly events: RunEvents;
  /** Push sources that take no more items. */
  readonly #closed = new Set<string>();
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
    this.events = new RunEvents(env.clock);
    this.deployment = deployment;
    this.startedAtMs = env.clock.now();
    const { agent, run, shape, instances } = deployment;
    this.#setbacks = new Setbacks(shape.name);
    this.#staff = new Staff({
      client,
      agent,
      run,
      nodes: shape.nodes,
      instances,
      onRefused: (stage, reason) =>
        this.fail("MR_INSTANCE_FAILING", `stage ${stage}: no instance could be started: ${reason}`),
    });
    const status = (): RunStatus => this.status;
    this.commands = new RunCommands({
      run,
      shape,
      agent,
      staff: this.#staff,
      holds: this.#holds,
      get status() {
        return status();
      },
      isDone: (stage) => this.#isDone(stage),
      look: () => this.look(),
      emit: (happening) => this.events.emit(happening),
      closeInput: (source) => this.#closeInput(source),
    });
  }

  instancesOf(stage: string): number {
    return this.#staff.of(stage);
  }

  holdOf(stage: string): Hold | undefined {
    return this.#staff.holdOf(stage);
  }

  /** Whether everything that is not complete is held. */
  get isPaused(): boolean {
    if (this.status !== "running") return false;
    const { nodes } = this.deployment.shape;
    const open = nodes.filter(({ name }) => !this.#isDone(name));
    return open.length > 0 && open.every(({ name }) => this.#staff.holdOf(name) !== undefined);
  }

  #isDone(stage: string): boolean {
    return this.#complete.has(stage) || this.#draining.has(stage);
  }

  #setStatus(status: Exclude<RunStatus, "starting">): void {
    if (this.status === status) return;
    this.status = status;
    this.events.emit({ kind: "status", status });
  }

  #setComplete(stage: string): void {
    if (this.#complete.has(stage)) return;
    this.#complete.add(stage);
    this.events.emit({ kind: "stage", stage, status: "completed" });
  }

  isCompleted(stage: string): boolean {
    return this.#complete.has(stage);
  }

  /** Starts all instances: consumers first, so that nothing piles up while they load; no source that has ended. */
  async start(doneSources: readonly string[] = []): Promise<void> {
    const { shape } = this.deployment;
    for (const source of doneSources) this.#setComplete(source);
    const nodes = [...shape.nodes].reverse().filter((node) => !this.#complete.has(node.name));
    await Promise.all(nodes.map((node) => this.#staff.fill(node.name)));
    if (this.status === "starting") this.#setStatus("running");
    // A resumed run: its push sources may have been closed in an earlier life.
    if (shape.nodes.some((node) => node.input === "push")) await this.scan().catch(() => undefined);
    this.#scheduleLook();
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
    this.events.emit({ kind: "instance-started", stage: body.stage, instance: body.id });
  }

  async onExited(body: BodyOf<"evt.instance-exited">): Promise<void> {
    const { id, stage, cause } = body;
    this.events.emit({ kind: "instance-ended", stage, instance: id, cause });
    const node = this.deployment.shape.nodes.find((known) => known.name === stage);
    if (cause === "drained" || cause === "source-done" || cause === "killed") {
      this.#staff.left(id);
      if (cause === "source-done") this.#setComplete(stage);
      if (this.#draining.has(stage) && this.instancesOf(stage) === 0 && this.status === "running")
        this.#setComplete(stage);
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
    if (this.status === "draining" && this.#staff.isEmpty) {
      // What the instances settled while they drained is part of the result.
      await this.scan().catch(() => undefined);
      this.#finish(this.error === undefined ? "stopped" : "failed");
      return;
    }
    await this.look();
  }

  /** The streams as they are now. */
  async scan(): Promise<Stats> {
    const { agent, run } = this.deployment;
    this.stats = await this.#client.request("agent.streams-stats", agent, { run });
    noteClosed(this.stats, this.#closed);
    return this.stats;
  }

  async #closeInput(source: string): Promise<void> {
    const { run, agent } = this.deployment;
    await this.#client.request("agent.close-source", agent, { run, source });
    this.#closed.add(source);
  }

  get #progress(): Progress {
    return { shape: this.deployment.shape, complete: this.#complete };
  }

  /** Looks whether stages have become complete; one look at a time, and one more if something happened meanwhile. */
  async look(emptied?: string): Promise<void> {
    if (emptied !== undefined && !mayComplete(this.#progress, this.#draining, this.#closed, emptied)) return;
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
    if (hasOpenInput(this.#progress, this.#closed)) await this.scan();
    if (!mayComplete(this.#progress, this.#draining, this.#closed)) return;
    const quiet = await quietNodes(this.#progress, this.#holds, async () => sightOf(await this.scan()));
    const isStill = quiet !== undefined && !quiet.some((stage) => this.#holds.has(stage));
    if (!isStill) this.#lookAgain = true;
    const candidates = isStill ? quiet.filter((stage) => !this.#draining.has(stage)) : [];
    // n.b. all of them before the first is told: from here on nothing is put back on any of them.
    for (const stage of candidates) this.#draining.add(stage);
    const { agent, run } = this.deployment;
    for (const stage of candidates) {
      await this.#client.request("agent.complete-stage", agent, { run, stage });
      if (this.instancesOf(stage) === 0) this.#setComplete(stage);
    }
    if (this.deployment.shape.nodes.every(({ name }) => this.#complete.has(name))) {
      await this.scan();
      this.#finish("completed");
    }
  }

  /** Puts dead letters back on a stage, which is not completed meanwhile. Throws RunError MR_STAGE_COMPLETED. */
  async replay(stage: string, ids: readonly string[]): Promise<ReplyOf<"coord.dead-replay">> {
    const { agent, run } = this.deployment;
    if (this.isOver || this.#isDone(stage)) {
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
    if (this.status === "draining" && (!now || this.#stopNow)) return;
    this.#stopNow ||= now;
    this.#setStatus("draining");
    await this.#staff.end(now);
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
    this.#setStatus(status);
    for (const listener of this.#over.splice(0)) listener();
  }

  get isOver(): boolean {
    return this.status === "completed" || this.status === "stopped" || this.status === "failed";
  }

  whenOver(): Promise<void> {
    return this.isOver ? Promise.resolve() : new Promise((resolve) => this.#over.push(resolve));
  }
}
