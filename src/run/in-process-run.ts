import { nodesToComplete, type StreamSight } from "../coordinator/completion.ts";
import { Setbacks } from "../coordinator/setbacks.ts";
import { checkGraph } from "../definition/check-graph.ts";
import type { RunResult } from "../definition/run-result.ts";
import type { Definition, NodeShape, PipelineShape } from "../definition/shape.ts";
import { shapeOf } from "../definition/shape-of.ts";
import { validateParams } from "../definition/validate-params.ts";
import type { Env } from "../env/env.ts";
import { loopbackPair } from "../env/loopback.ts";
import { type ErrorInfo, ensureError, errorInfo, RunError } from "../errors.ts";
import { Instance } from "../instance/instance.ts";
import type { FromInstance } from "../instance/messages.ts";
import { newWatchState } from "../instance/watch-state.ts";
import { BlobMemory } from "../streams/blob-memory.ts";
import { StreamConnection } from "../streams/connection.ts";
import { openEngine } from "../streams/open-engine.ts";
import { STREAM_PROTOCOL_VERSION, type StatsAnswer } from "../streams/protocol.ts";
import { StreamServer } from "../streams/server.ts";
import { blobStore, useBlobStore } from "../wire/stored-blob.ts";
import { runResultOf } from "./run-result.ts";

export interface InProcessOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly params: Readonly<Record<string, unknown>>;
  readonly instances: ReadonlyMap<string, number>;
  onMessage(stage: string, message: FromInstance): void;
}

const RETRY_MS = 100;

let memory: BlobMemory | undefined;

/**
 * A run inside this process, over memory streams: the same streams server, stage loop and rules, without
 * processes of their own. For scripts and tests: user code that blocks or exits takes all of it along.
 */
export class InProcessRun {
  readonly run: string;
  readonly shape: PipelineShape;
  readonly #options: InProcessOptions;
  readonly #params: unknown;
  readonly #server: StreamServer;
  readonly #secret: string;
  readonly #startedAt: number;
  readonly #instances = new Map<Instance, string>();
  readonly #complete = new Set<string>();
  readonly #draining = new Set<string>();
  readonly #setbacks = new Setbacks();
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
    this.run = `in-process-${options.env.random.bytes(3).toString("hex")}`;
  }

  /** Throws DefinitionError and UsageError MR_BAD_PARAMS before anything runs. */
  static async start(options: InProcessOptions): Promise<InProcessRun> {
    const { env, definition } = options;
    checkGraph(definition);
    const params = await validateParams(definition, options.params);
    const { engine } = await openEngine(env, { kind: "memory", directory: "", durability: "process" });
    // One for the whole process: a blob is read where its item is, whichever run that belongs to.
    memory ??= new BlobMemory(env.random);
    const blobs = memory;
    if (blobStore() === undefined) useBlobStore(blobs);
    engine.onBlobFree((blob) => void blobs.remove(blob));
    const secret = env.random.bytes(8).toString("hex");
    const server = new StreamServer(env, engine, { boot: secret, secret });
    const run = new InProcessRun(options, params, server, secret);
    await run.#begin();
    return run;
  }

  async #begin(): Promise<void> {
    const nodes = this.shape.nodes;
    await this.#server.open(nodes.filter((node) => node.kind !== "source").map((node) => node.name));
    this.#control = await StreamConnection.greet(
      this.#connect(),
      { version: STREAM_PROTOCOL_VERSION, role: "control", stage: "", instance: "run", secret: this.#secret },
      { onEvent: (event) => event.kind === "empty" && void this.#look() },
    );
    for (const node of [...nodes].reverse()) {
      const count =
        node.kind === "source" ? 1 : (this.#options.instances.get(node.name) ?? node.settings.instances.min);
      for (let i = 0; i < count; i++) void this.#keep(node);
    }
    void this.#look();
  }

  #connect(): ReturnType<typeof loopbackPair>[0] {
    const [ours, theirs] = loopbackPair(this.#options.env.timers);
    this.#server.accept(theirs);
    return ours;
  }

  /** Runs an instance of a node, and another one where its setup or its source has failed. */
  async #keep(node: NodeShape): Promise<void> {
    const { env, definition } = this.#options;
    for (;;) {
      if (this.#stopping || this.#draining.has(node.name)) return this.#ended(node);
      let failure: FromInstance | undefined;
      const id = `${node.name}.${++this.#numbers}`;
      const instance: Instance = new Instance({
        env,
        definition,
        run: this.run,
        stage: node.name,
        instance: id,
        role: node.kind === "source" ? "source" : "worker",
        params: this.#params,
        bundle: "",
        secret: this.#secret,
        watch: newWatchState(),
        abandonsStuckCalls: true,
        connect: async () => this.#connect(),
        report: (message) => {
          if (message.kind === "setup-failed" || message.kind === "source-failed") failure = message;
          this.#options.onMessage(node.name, message);
        },
      });
      this.#instances.set(instance, node.name);
      const isUp = await instance.start();
      if (isUp) this.#setbacks.started(node.name);
      let isDone = false;
      if (isUp && node.kind === "source") {
        const outcome = await instance.runSource();
        isDone = outcome !== "failed";
        if (outcome === "source-done") this.#complete.add(node.name);
      } else if (isUp) {
        if (this.#stopping || this.#draining.has(node.name))
          void instance.drain(this.#stopping ? "stopped" : "completed");
        await instance.whenDrained();
        isDone = true;
      }
      await instance.end();
      this.#instances.delete(instance);
      if (isDone) return this.#ended(node);
      const told = failure as (FromInstance & { error: ErrorInfo }) | undefined;
      const reason = this.#setbacks.add(node, {
        stage: node.name,
        cause: told?.kind ?? "setup-failed",
        error: told?.error,
        progressed: told?.kind === "source-failed" && told.progressed,
        settled: 0,
        what: "it failed",
      });
      if (reason !== undefined) {
        const error = errorInfo(
          new RunError(reason.code, `run ${this.run}: ${reason.message}`, { scope: "run" }),
        );
        this.#error ??= { ...error, stack: told?.error.stack ?? error.stack };
        void this.stop();
        return this.#ended(node);
      }
      await env.timers.sleep(RETRY_MS);
    }
  }

  #ended(node: NodeShape): void {
    const isLast = ![...this.#instances.values()].includes(node.name);
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
      const sight = sightOf(await this.#scan());
      const again = sightOf(await this.#scan());
      for (const name of nodesToComplete({
        shape: this.shape,
        complete: this.#complete,
        scans: [sight, again],
      })) {
        if (this.#draining.has(name)) continue;
        this.#draining.add(name);
        for (const [instance, stage] of this.#instances) if (stage === name) void instance.drain("completed");
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
    for (const instance of this.#instances.keys()) {
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
    return runResultOf(this.run, this.shape, status, this.#stats, durationMs, this.#error);
  }
}

function sightOf(stats: StatsAnswer): Map<string, StreamSight> {
  return new Map(stats.streams.map(({ name, unsettled, appended }) => [name, { unsettled, appended }]));
}
