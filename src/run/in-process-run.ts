import { hasOpenInput, mayComplete } from "../coordinator/completion.ts";
import { Holds } from "../coordinator/holds.ts";
import { quietNodes } from "../coordinator/quiet-nodes.ts";
import { RunCommands } from "../coordinator/run-commands.ts";
import { RunEvents } from "../coordinator/run-events.ts";
import { noteClosed, sightOf } from "../coordinator/stream-sight.ts";
import { checkGraph } from "../definition/check-graph.ts";
import { runOver } from "../definition/inputs.ts";
import type { RunResult } from "../definition/run-result.ts";
import type { Definition, PipelineShape } from "../definition/shape.ts";
import { shapeOf } from "../definition/shape-of.ts";
import { validateParams } from "../definition/validate-params.ts";
import type { Env, Timers } from "../env/env.ts";
import { type ErrorInfo, errorInfo, RunError } from "../errors.ts";
import type { GetRecord } from "../instance/large-record.ts";
import type { FromInstance } from "../instance/messages.ts";
import type { StreamEngine } from "../streams/contract.ts";
import type { StatsAnswer, StreamEvent } from "../streams/protocol.ts";
import { checkInstances } from "./check-instances.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { InProcessHandle } from "./in-process-instance.ts";
import { inProcessLetters } from "./in-process-letters.ts";
import { InProcessStaff } from "./in-process-staff.ts";
import { InProcessStreams } from "./in-process-streams.ts";
import { jobOutcome } from "./job-outcome.ts";
import { Pushes } from "./pushes.ts";
import { runResultOf } from "./run-result.ts";

export interface InProcessOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly params: Readonly<Record<string, unknown>>;
  /** Jobs: what split gets. */
  readonly input?: unknown;
  readonly instances: ReadonlyMap<string, number>;
  onMessage(stage: string, message: FromInstance): void;
  /** Sees, and may disturb, what goes on in the run: for simulations. */
  readonly probe?: InProcessProbe;
}

export interface InProcessProbe {
  /** The engine, before its first transaction. */
  onEngine(engine: StreamEngine): void;
  /** The definition that an instance runs: the run's own, with whatever is to be seen or done around its functions. */
  definitionOf(instance: InProcessHandle): Definition;
  /** Delivers what is written to the sockets between the instances and the streams server. */
  readonly sockets: Timers;
}

/**
 * A run inside this process, over memory streams: the same streams server, stage loop and rules, without
 * processes of their own. For scripts and tests: user code that blocks or exits takes all of it along.
 */
export class InProcessRun {
  readonly run: string;
  readonly shape: PipelineShape;
  readonly pushes: Pushes;
  readonly commands: RunCommands;
  /** Its dead letters; of a run that is over they can be read, and no more. */
  readonly dead: DeadLetters;
  readonly #options: InProcessOptions;
  readonly #streams: InProcessStreams;
  readonly #startedAt: number;
  readonly #staff: InProcessStaff;
  readonly #complete = new Set<string>();
  readonly #draining = new Set<string>();
  readonly #holds = new Holds();
  readonly events: RunEvents;
  /** Push sources that take no more items. */
  readonly #closed = new Set<string>();
  #looking = false;
  #lookAgain = false;
  #status: "running" | RunResult["status"] = "running";
  #stopping = false;
  #error: ErrorInfo | undefined;
  #onOver: (() => void)[] = [];

  private constructor(options: InProcessOptions, params: unknown, streams: InProcessStreams) {
    const { env, definition } = options;
    this.#options = options;
    this.events = new RunEvents(env.clock);
    this.#streams = streams;
    this.#startedAt = env.clock.mono();
    this.shape = shapeOf(definition);
    this.dead = inProcessLetters({
      env,
      definition: options.definition,
      server: streams.server,
      holds: this.#holds,
      isCompleted: (stage) => this.#status !== "running" || this.#draining.has(stage),
      onReplayed: () => void this.#look(),
    });
    this.run = `in-process-${env.random.bytes(3).toString("hex")}`;
    this.pushes = new Pushes(env, this.shape, async () => {
      if (this.#status !== "running") throw runOver(this.run, this.#status);
      return { socket: streams.connect(), secret: streams.secret };
    });
    this.#staff = this.#newStaff(params);
    const status = (): string => (this.#stopping && this.#status === "running" ? "draining" : this.#status);
    this.commands = new RunCommands({
      run: this.run,
      shape: this.shape,
      agent: "in-process",
      staff: this.#staff,
      holds: this.#holds,
      get status() {
        return status();
      },
      isDone: (stage) => this.#isDone(stage),
      look: () => this.#look(),
      emit: (happening) => this.events.emit(happening),
      closeInput: async (source) => {
        await streams.control.request("close", { stream: source });
        this.#closed.add(source);
      },
    });
  }

  #newStaff(params: unknown): InProcessStaff {
    const { env, definition, probe, instances, onMessage } = this.#options;
    return new InProcessStaff({
      env,
      run: this.run,
      pipeline: this.shape.name,
      nodes: this.shape.nodes,
      instances,
      params,
      ...("input" in this.#options && { input: this.#options.input }),
      secret: this.#streams.secret,
      definitionOf: (handle) => probe?.definitionOf(handle) ?? definition,
      connect: () => this.#streams.connect(),
      control: () => this.#streams.control,
      onMessage,
      onHappening: (happening) => this.events.emit(happening),
      onSourceDone: (source) => this.#setComplete(source),
      onLeft: (stage) => {
        if (this.#staff.of(stage) === 0 && this.#draining.has(stage)) this.#setComplete(stage);
        void this.#look();
      },
      onFailed: (error) => {
        this.#error ??= error;
        void this.stop();
      },
    });
  }

  /** Throws DefinitionError and UsageError MR_BAD_PARAMS before anything runs. */
  static async start(options: InProcessOptions): Promise<InProcessRun> {
    const { env, definition } = options;
    checkGraph(definition);
    checkInstances(options.instances, shapeOf(definition));
    const params = await validateParams(definition, options.params);
    const run = new InProcessRun(options, params, await InProcessStreams.make(env, options.probe ?? {}));
    await run.#begin();
    return run;
  }

  async #begin(): Promise<void> {
    await this.#streams.open(this.shape, (event) => {
      if (event.kind === "empty") void this.#look();
      if (event.kind === "breaker") this.#onBreaker(event);
      if (event.kind === "suspects") void this.#staff.tendSuspects(event.stage);
    });
    for (const node of [...this.shape.nodes].reverse()) await this.#staff.fill(node.name);
    void this.#look();
  }

  #onBreaker({ stage, state, what }: Extract<StreamEvent, { kind: "breaker" }>): void {
    this.#options.onMessage(stage, {
      kind: "log",
      level: "warn",
      message: `circuit breaker ${state}: ${what}`,
    });
    if (state !== "given-up") return;
    const message = `run ${this.run}: stage ${stage}: ${what}, and so did every try for five minutes`;
    this.#error ??= errorInfo(new RunError("MR_BREAKER_OPEN", message, { scope: "run" }));
    void this.stop();
  }

  #isDone(stage: string): boolean {
    return this.#complete.has(stage) || this.#draining.has(stage);
  }

  #setComplete(stage: string): void {
    if (this.#complete.has(stage)) return;
    this.#complete.add(stage);
    this.events.emit({ kind: "stage", stage, status: "completed" });
  }

  async #look(): Promise<void> {
    this.#lookAgain = true;
    if (this.#looking || this.#status !== "running") return;
    this.#looking = true;
    while (this.#lookAgain && this.#status === "running") {
      this.#lookAgain = false;
      if (this.#stopping) {
        if (this.#staff.isEmpty) await this.#finish(this.#error === undefined ? "stopped" : "failed");
        continue;
      }
      await this.#completeStages();
      if (this.shape.nodes.every((node) => this.#complete.has(node.name))) await this.#finish("completed");
    }
    this.#looking = false;
  }

  async #completeStages(): Promise<void> {
    const progress = { shape: this.shape, complete: this.#complete };
    if (hasOpenInput(progress, this.#closed)) noteClosed(await this.#streams.scan(), this.#closed);
    if (!mayComplete(progress, this.#draining, this.#closed)) return;
    const quiet = await quietNodes(progress, this.#holds, async () => sightOf(await this.#streams.scan()));
    const isStill = quiet !== undefined && !quiet.some((stage) => this.#holds.has(stage));
    if (!isStill) this.#lookAgain = true;
    for (const name of isStill ? quiet.filter((known) => !this.#draining.has(known)) : []) {
      this.#draining.add(name);
      this.#staff.complete(name);
    }
  }

  async #finish(status: RunResult["status"]): Promise<void> {
    this.#stats = await this.#streams.scan();
    const get: GetRecord = async (key) => (await this.#streams.control.request("get", { key })).value;
    this.#outcome = await jobOutcome(this.shape, { status, errorCode: this.#error?.code }, get);
    this.#status = status;
    this.events.emit({ kind: "status", status });
    this.pushes.fail(runOver(this.run, status));
    await this.#streams.server.close();
    for (const listener of this.#onOver.splice(0)) listener();
  }

  #stats: StatsAnswer | undefined;
  #outcome: Pick<RunResult, "result" | "failedTask"> = {};

  get status(): "running" | "paused" | RunResult["status"] {
    if (this.#status !== "running" || this.#stopping) return this.#status;
    const open = this.shape.nodes.filter(({ name }) => !this.#isDone(name));
    const isPaused = open.length > 0 && open.every(({ name }) => this.#staff.holdOf(name) !== undefined);
    return isPaused ? "paused" : "running";
  }

  /** Counts so far. */
  async counts(): Promise<Pick<StatsAnswer, "counts" | "streams">> {
    return this.#stats ?? (await this.#streams.scan());
  }

  /** See `Handle.close`. */
  async close(source: string): Promise<void> {
    await this.pushes.settled(source);
    await this.commands.closeSource(source);
  }

  /** Drains the run; with `now` its calls are aborted, and given up a moment later. */
  async stop(now = false): Promise<void> {
    if (this.#status !== "running") return;
    this.#stopping = true;
    this.#staff.end(now);
    await this.#look();
  }

  async result(): Promise<RunResult> {
    if (this.#status === "running") await new Promise<void>((resolve) => this.#onOver.push(resolve));
    const durationMs = this.#options.env.clock.mono() - this.#startedAt;
    const status = this.#status as RunResult["status"];
    const letters = await this.dead.count();
    const result = runResultOf(this.run, this.shape, status, this.#stats, durationMs, this.#error, letters);
    return { ...result, ...this.#outcome };
  }
}
