import type { DrainReason } from "../definition/context.ts";
import type { Definition, NodeDefinition } from "../definition/shape.ts";
import type { Env, Socket } from "../env/env.ts";
import { ensureError, errorInfo, MillraceError, StageError } from "../errors.ts";
import { type ConnectionHandlers, StreamConnection } from "../streams/connection.ts";
import { STREAM_PROTOCOL_VERSION } from "../streams/protocol.ts";
import { runGuarded } from "./guarded-life.ts";
import { instanceLogger } from "./instance-logger.ts";
import type { FromInstance, JobInput } from "./messages.ts";
import type { OwnInput } from "./own-input.ts";
import { ProgressReports } from "./progress-reports.ts";
import type { InstanceScope } from "./scope-context.ts";
import { SourceContext } from "./source-context.ts";
import { SourceLoop } from "./source-loop.ts";
import { StageLoop } from "./stage-loop.ts";
import { WATCH, WATCH_STATE } from "./watch-state.ts";

export interface InstanceOptions {
  readonly env: Env;
  readonly definition: Definition;
  readonly run: string;
  readonly stage: string;
  readonly instance: string;
  readonly role: "worker" | "source" | "suspect";
  readonly params: unknown;
  readonly bundle: string;
  readonly secret: string;
  /** The split of a job: what it was given. */
  readonly input?: JobInput;
  readonly watch: Float64Array;
  /** In somebody else's process a call that never settles is given up instead of ended. */
  readonly abandonsStuckCalls?: boolean;
  connect(): Promise<Socket>;
  report(message: FromInstance): void;
}

/** The life of an instance: setup, work, drain, teardown. The same in a process of its own and in somebody else's. */
export class Instance {
  readonly #options: InstanceOptions;
  readonly #node: NodeDefinition;
  readonly #scope: InstanceScope;
  readonly #progress: ProgressReports;
  #stage: Pick<StageLoop, "start" | "drain" | "abort" | "close"> | undefined;
  #source: SourceLoop | undefined;
  #isSetUp = false;
  #drained: Promise<void> | undefined;

  constructor(options: InstanceOptions) {
    const node = options.definition.nodes.get(options.stage);
    if (node === undefined) {
      throw new StageError(
        "MR_INTERNAL",
        `instance ${options.instance}: the pipeline has no node ${options.stage}`,
      );
    }
    this.#options = options;
    this.#node = node;
    this.#progress = new ProgressReports(options.env.timers, (done, total) =>
      options.report({ kind: "progress", done, ...(total === undefined ? {} : { total }) }),
    );
    this.#scope = {
      env: options.env,
      pipeline: options.definition.name,
      stage: options.stage,
      run: options.run,
      params: options.params,
      log: instanceLogger(options.env, (line) => options.report({ kind: "log", ...line })),
      state: undefined,
      drainListeners: [],
      drainReason: undefined,
      onProgress: (done, total) => this.#progress.say(done, total),
    };
  }

  /** Sets up and begins to work. Reports `setup-failed` and gives false when it cannot. */
  start(): Promise<boolean> {
    const starting = this.#start();
    this.#starting = starting;
    return starting;
  }

  #starting: Promise<unknown> | undefined;

  async #start(): Promise<boolean> {
    const { report, watch } = this.#options;
    const { timeoutMs, graceMs } = this.#node.settings;
    watch[WATCH.limitMs] = timeoutMs + graceMs;
    try {
      const context = await this.#setupContext();
      this.#scope.state = await this.#guarded("setup", () =>
        (this.#node.handler.setup as ((context: SourceContext) => unknown) | undefined)?.(context),
      );
      this.#isSetUp = true;
    } catch (error) {
      report({ kind: "setup-failed", error: errorInfo(error) });
      return false;
    }
    const onError = (error: Error): void => report({ kind: "trouble", error: errorInfo(error) });
    let hasSettled = false;
    const onSettled = (): void => {
      if (!hasSettled) report({ kind: "settled" });
      hasSettled = true;
    };
    const { env, definition, role, bundle, abandonsStuckCalls } = this.#options;
    const { pipeline, run } = this.#scope;
    const connect = (handlers: ConnectionHandlers, lost?: number, busy?: readonly number[]) =>
      this.#connect(handlers, lost, busy);
    const onRunFailed = (error: Error): void => report({ kind: "run-failed", error: errorInfo(error) });
    const common = { env, definition, node: this.#node, scope: this.#scope, connect, onSettled, onError };
    const { job } = definition;
    if (role === "source") {
      const parts =
        job === undefined ? {} : await (await import("./split-source.ts")).splitSource(this.#options, job);
      this.#source = new SourceLoop({ ...common, ...parts });
      await this.#source.start();
      report({ kind: "running" });
      return true;
    }
    if (job !== undefined && this.#node.part === "combine") {
      const { CombineLoop } = await import("./combine-loop.ts");
      this.#stage = new CombineLoop({ ...common, job, watch, onRunFailed });
    } else {
      this.#stage = new StageLoop({
        ...common,
        role,
        settings: { pipeline, run, bundle },
        watch,
        onStuck: (item) => {
          report({ kind: "stuck", ...(item === undefined ? {} : { item }) });
          return abandonsStuckCalls === true ? "abandon" : "wait";
        },
        onRunFailed,
      });
    }
    await this.#stage.start();
    report({ kind: "running" });
    return true;
  }

  async #setupContext(): Promise<SourceContext> {
    const context = new SourceContext(this.#scope);
    if (this.#node.input !== "push" || this.#node.handler.setup === undefined) return context;
    const { openOwnInput } = await import("./own-input.ts");
    this.#input = openOwnInput(context, this.#options);
    return context;
  }

  #input: OwnInput | undefined;

  /** Sources: iterates to the end. Resolves to how it ended; a drain ends it as well. */
  async runSource(): Promise<"source-done" | "drained" | "failed"> {
    const source = this.#source as SourceLoop;
    const { report, watch } = this.#options;
    // A source has no time limit: it may wait for its next item, or work on it, as long as it likes.
    const limitMs = watch[WATCH.limitMs] as number;
    watch[WATCH.limitMs] = 0;
    watch[WATCH.state] = WATCH_STATE.inCall;
    try {
      const end = source.isDone ? "ended" : await source.run();
      await source.settle(end === "ended");
      return end === "ended" ? "source-done" : "drained";
    } catch (error) {
      // What it yielded before it threw is good.
      await source.settle(false).catch(() => undefined);
      if (error instanceof MillraceError && error.scope === "run")
        report({ kind: "run-failed", error: errorInfo(error) });
      report({ kind: "source-failed", error: errorInfo(error), progressed: source.hasProgressed });
      return "failed";
    } finally {
      watch[WATCH.limitMs] = limitMs;
      watch[WATCH.state] = WATCH_STATE.outside;
    }
  }

  async #connect(
    handlers: ConnectionHandlers,
    lost = 0,
    busy: readonly number[] = [],
  ): Promise<StreamConnection> {
    const { role, stage, instance, secret } = this.#options;
    const passesOn = await this.#passesOn();
    const socket = await this.#options.connect();
    return await StreamConnection.greet(
      socket,
      {
        version: STREAM_PROTOCOL_VERSION,
        role,
        stage,
        instance,
        secret,
        ...(lost > 0 ? { lost } : {}),
        ...(busy.length > 0 ? { busy } : {}),
        ...passesOn,
        ...(callsAtOnce(this.#node) ? { callsAtOnce: true } : {}),
      },
      handlers,
    );
  }

  async #passesOn(): Promise<{ passesOn?: readonly string[] }> {
    if (this.#node.input !== "push" || this.#options.role !== "worker") return {};
    const { passesOn } = await import("./passes-on.ts");
    return { passesOn: passesOn(this.#options.definition, this.#node) };
  }

  /** Sources: no more is asked of it, or it goes on. Before it has started it is of no effect. */
  pause(paused: boolean): void {
    this.#source?.pause(paused);
  }

  /** Stops taking, finishes what has begun, stores it. Sources: `runSource` then ends by itself. */
  drain(reason: DrainReason): Promise<void> {
    this.#drained ??= this.#drain(reason);
    return this.#drained;
  }

  /** Resolves when a drain, whenever it is asked for, is over. */
  whenDrained(): Promise<void> {
    return this.#drained ?? new Promise((resolve) => this.#onDrained.push(resolve));
  }

  readonly #onDrained: (() => void)[] = [];

  async #drain(reason: DrainReason): Promise<void> {
    this.#scope.drainReason = reason;
    for (const listener of this.#scope.drainListeners) {
      try {
        listener(reason);
      } catch (error) {
        this.#scope.log.error({ error: ensureError(error) }, "an onDrain listener threw");
      }
    }
    // A setup that has begun is waited for: its teardown is owed then.
    await this.#starting?.catch(() => undefined);
    await this.#source?.stop(reason);
    await this.#stage?.drain(reason);
    for (const listener of this.#onDrained.splice(0)) listener();
  }

  /** The drain's grace is over: calls that go on are aborted. */
  abort(): void {
    this.#source?.abort();
    this.#stage?.abort(
      new StageError("MR_CALL_TIMEOUT", `stage ${this.#scope.stage}: the instance is being ended`),
    );
  }

  /** Lets go of everything at once, without a teardown, as the death of its process would. */
  die(): void {
    this.#stage?.close();
    this.#source?.close();
  }

  /** Runs the teardown, whatever happened before, and closes the connection. */
  end(): Promise<void> {
    // n.b. a drain and the end of a source may both come here: the second waits for the first one's teardown.
    this.#ended ??= this.#end();
    return this.#ended;
  }

  #ended: Promise<void> | undefined;

  async #end(): Promise<void> {
    this.#progress.flush();
    this.#stage?.close();
    this.#source?.close();
    await this.#tearDown();
    await this.#input?.end();
  }

  async #tearDown(): Promise<void> {
    if (!this.#isSetUp) return;
    try {
      await this.#guarded("teardown", () =>
        (this.#node.handler.teardown as ((state: unknown) => unknown) | undefined)?.(this.#scope.state),
      );
    } catch (error) {
      this.#options.report({ kind: "trouble", error: errorInfo(error) });
    }
  }

  #guarded(what: "setup" | "teardown", run: () => unknown): Promise<unknown> {
    const { watch, env } = this.#options;
    return runGuarded(env, watch, this.#node, what, run);
  }
}

/** Whether nothing but its own work may keep an item waiting that comes to an instance of it. */
function callsAtOnce({ input, settings }: NodeDefinition): boolean {
  const { batch, pacing, order } = settings;
  return input === undefined && batch === undefined && pacing?.rate === undefined && order === undefined;
}
