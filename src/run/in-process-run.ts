import { Holds } from "../coordinator/holds.ts";
import { quietNodes } from "../coordinator/quiet-nodes.ts";
import { Setbacks } from "../coordinator/setbacks.ts";
import { settledOf, sightOf } from "../coordinator/stream-sight.ts";
import { checkGraph } from "../definition/check-graph.ts";
import { pacingByStage } from "../definition/pacing.ts";
import type { RunResult } from "../definition/run-result.ts";
import {
  type Definition,
  type NodeShape,
  type PipelineShape,
  partitionsByStage,
} from "../definition/shape.ts";
import { shapeOf } from "../definition/shape-of.ts";
import { validateParams } from "../definition/validate-params.ts";
import type { Env, Timers } from "../env/env.ts";
import { loopbackPair } from "../env/loopback.ts";
import { type ErrorInfo, ensureError, errorInfo, RunError } from "../errors.ts";
import type { FromInstance } from "../instance/messages.ts";
import { StreamConnection } from "../streams/connection.ts";
import type { StreamEngine } from "../streams/contract.ts";
import { openEngine } from "../streams/open-engine.ts";
import { STREAM_PROTOCOL_VERSION, type StatsAnswer } from "../streams/protocol.ts";
import { StreamServer } from "../streams/server.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { keepBlobsInMemory } from "./in-process-blobs.ts";
import { type InProcessHandle, InProcessInstance } from "./in-process-instance.ts";
import { inProcessLetters } from "./in-process-letters.ts";
import { runResultOf } from "./run-result.ts";

export interface InProcessOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly params: Readonly<Record<string, unknown>>;
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

const RETRY_MS = 100;
/** How often an instance for suspects is asked whether there are any left. */
const SUSPECTS_LOOK_MS = 1_000;

/**
 * A run inside this process, over memory streams: the same streams server, stage loop and rules, without
 * processes of their own. For scripts and tests: user code that blocks or exits takes all of it along.
 */
export class InProcessRun {
  readonly run: string;
  readonly shape: PipelineShape;
  /** Its dead letters; of a run that is over they can be read, and no more. */
  readonly dead: DeadLetters;
  readonly #options: InProcessOptions;
  readonly #params: unknown;
  readonly #server: StreamServer;
  readonly #secret: string;
  readonly #startedAt: number;
  readonly #instances = new Set<InProcessInstance>();
  /** Stages that have an instance for suspects. */
  readonly #tended = new Set<string>();
  readonly #complete = new Set<string>();
  readonly #draining = new Set<string>();
  readonly #setbacks = new Setbacks();
  readonly #holds = new Holds();
  #control: StreamConnection | undefined;
  #looking = false;
  #lookAgain = false;
  #status: "running" | RunResult["status"] = "running";
  #stopping = false;
  #error: ErrorInfo | undefined;
  #numbers = 0;
  #onOver: (() => void)[] = [];

  private constructor(options: InProcessOptions, params: unknown, server: StreamServer, secret: string) {
    this.#options = options;
    this.#params = params;
    this.#server = server;
    this.#secret = secret;
    this.#startedAt = options.env.clock.mono();
    this.shape = shapeOf(options.definition);
    this.dead = inProcessLetters({
      env: options.env,
      shape: this.shape,
      server,
      holds: this.#holds,
      isCompleted: (stage) => this.#status !== "running" || this.#draining.has(stage),
      onReplayed: () => void this.#look(),
    });
    this.run = `in-process-${options.env.random.bytes(3).toString("hex")}`;
  }

  /** Throws DefinitionError and UsageError MR_BAD_PARAMS before anything runs. */
  static async start(options: InProcessOptions): Promise<InProcessRun> {
    const { env, definition } = options;
    checkGraph(definition);
    const params = await validateParams(definition, options.params);
    const { engine } = await openEngine(env, { kind: "memory", directory: "", durability: "process" });
    keepBlobsInMemory(env, engine);
    options.probe?.onEngine(engine);
    const secret = env.random.bytes(8).toString("hex");
    const server = new StreamServer(env, engine, { boot: secret, secret });
    const run = new InProcessRun(options, params, server, secret);
    await run.#begin();
    return run;
  }

  async #begin(): Promise<void> {
    const nodes = this.shape.nodes;
    await this.#server.open(
      nodes.filter((node) => node.kind !== "source").map((node) => node.name),
      { pacing: pacingByStage(this.shape), partitions: partitionsByStage(this.shape) },
    );
    this.#control = await StreamConnection.greet(
      this.#connect(),
      { version: STREAM_PROTOCOL_VERSION, role: "control", stage: "", instance: "run", secret: this.#secret },
      {
        onEvent: (event) => {
          if (event.kind === "empty") void this.#look();
          if (event.kind === "suspects") void this.#tendSuspects(event.stage);
        },
      },
    );
    for (const node of [...nodes].reverse()) {
      const count =
        node.kind === "source" ? 1 : (this.#options.instances.get(node.name) ?? node.settings.instances.min);
      for (let i = 0; i < count; i++) void this.#keep(node, node.kind === "source" ? "source" : "worker");
    }
    void this.#look();
  }

  #connect(): ReturnType<typeof loopbackPair>[0] {
    const [ours, theirs] = loopbackPair(this.#options.probe?.sockets ?? this.#options.env.timers);
    this.#server.accept(theirs);
    return ours;
  }

  /** Runs an instance of a node, and another one where its setup or its source has failed, or it was killed. */
  async #keep(node: NodeShape, role: InProcessInstance["role"]): Promise<void> {
    const { env, definition, probe } = this.#options;
    for (;;) {
      if (this.#stopping || this.#draining.has(node.name)) return this.#ended(node);
      const instance = new InProcessInstance({
        env,
        node,
        id: `${node.name}.${++this.#numbers}`,
        role,
        run: this.run,
        params: this.#params,
        secret: this.#secret,
        definition: (handle) => probe?.definitionOf(handle) ?? definition,
        connect: () => this.#connect(),
        onMessage: (message) => this.#options.onMessage(node.name, message),
        onUp: () => this.#setbacks.started(node.name),
      });
      this.#instances.add(instance);
      const end = await instance.live();
      this.#instances.delete(instance);
      if (end.how === "source-done") this.#complete.add(node.name);
      if (end.how === "source-done" || end.how === "drained") return this.#ended(node);
      const settled = end.how === "killed" ? await this.#judge(instance, end.what) : 0;
      if (role === "suspect" && !(await this.#hasSuspects(node.name))) return this.#ended(node);
      const reason =
        role === "suspect"
          ? undefined
          : this.#setbacks.add(node, {
              stage: node.name,
              cause: end.how === "killed" ? "crashed" : end.cause,
              error: end.how === "killed" ? undefined : end.error,
              progressed: end.how === "failed" && end.progressed,
              settled,
              what: end.how === "killed" ? end.what : "it failed",
            });
      if (reason !== undefined) {
        const error = errorInfo(
          new RunError(reason.code, `run ${this.run}: ${reason.message}`, { scope: "run" }),
        );
        const cause = end.how === "failed" ? end.error : undefined;
        this.#error ??= { ...error, stack: cause?.stack ?? error.stack };
        void this.stop();
        return this.#ended(node);
      }
      await env.timers.sleep(RETRY_MS);
    }
  }

  /** What a killed instance held is judged before anybody else may take it. Gives what its stage has settled so far. */
  async #judge({ id, stage, role }: InProcessInstance, what: string): Promise<number> {
    if (role !== "source") {
      await (this.#control as StreamConnection).request("verdict", {
        instance: id,
        stage,
        charge: true,
        external: false,
        what,
        cause: "instance-died",
      });
    }
    return settledOf(await this.#scan(), stage);
  }

  async #hasSuspects(stage: string): Promise<boolean> {
    return (await this.#scan()).streams.some(({ name, suspects }) => name === stage && suspects > 0);
  }

  /** Items that were in hand when an instance was killed run alone, in an instance for them. */
  async #tendSuspects(stage: string): Promise<void> {
    const node = this.shape.nodes.find((known) => known.name === stage);
    if (node === undefined || this.#tended.has(stage)) return;
    this.#tended.add(stage);
    const look = this.#options.env.timers.every(SUSPECTS_LOOK_MS, () => {
      void this.#hasSuspects(stage).then((has) => {
        for (const instance of has ? [] : this.#instances)
          if (instance.stage === stage && instance.role === "suspect") void instance.drain("scaled");
      });
    });
    await this.#keep(node, "suspect");
    look.cancel();
    this.#tended.delete(stage);
    if (!this.#stopping && this.#status === "running" && (await this.#hasSuspects(stage)))
      await this.#tendSuspects(stage);
  }

  #ended(node: NodeShape): void {
    const isLast = ![...this.#instances].some((instance) => instance.stage === node.name);
    if (isLast && this.#draining.has(node.name)) this.#complete.add(node.name);
    void this.#look();
  }

  async #scan(): Promise<StatsAnswer> {
    return await (this.#control as StreamConnection).request("stats", {});
  }

  async #look(): Promise<void> {
    this.#lookAgain = true;
    if (this.#looking || this.#status !== "running") return;
    this.#looking = true;
    while (this.#lookAgain && this.#status === "running") {
      this.#lookAgain = false;
      if (this.#stopping) {
        if (this.#instances.size === 0) await this.#finish(this.#error === undefined ? "stopped" : "failed");
        continue;
      }
      const progress = { shape: this.shape, complete: this.#complete };
      const quiet = await quietNodes(progress, this.#holds, async () => sightOf(await this.#scan()));
      const isStill = quiet !== undefined && !quiet.some((stage) => this.#holds.has(stage));
      if (!isStill) this.#lookAgain = true;
      for (const name of isStill ? quiet : []) {
        if (this.#draining.has(name)) continue;
        this.#draining.add(name);
        for (const instance of this.#instances) if (instance.stage === name) void instance.drain("completed");
      }
      if (this.shape.nodes.every((node) => this.#complete.has(node.name))) await this.#finish("completed");
    }
    this.#looking = false;
  }

  async #finish(status: RunResult["status"]): Promise<void> {
    this.#stats = await this.#scan();
    this.#status = status;
    await this.#server.close();
    for (const listener of this.#onOver.splice(0)) listener();
  }

  #stats: StatsAnswer | undefined;

  get status(): "running" | RunResult["status"] {
    return this.#status;
  }

  /** Counts so far. */
  async counts(): Promise<Pick<StatsAnswer, "counts">> {
    return this.#stats ?? (await this.#scan());
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const instance of this.#instances) {
      void instance.drain("stopped").catch((error) => {
        this.#error ??= errorInfo(ensureError(error));
      });
    }
    await this.#look();
  }

  async result(): Promise<RunResult> {
    if (this.#status === "running") await new Promise<void>((resolve) => this.#onOver.push(resolve));
    const durationMs = this.#options.env.clock.mono() - this.#startedAt;
    const status = this.#status as RunResult["status"];
    const letters = await this.dead.count();
    return runResultOf(this.run, this.shape, status, this.#stats, durationMs, this.#error, letters);
  }
}
