import { join } from "node:path";
import { Agent, type AgentOptions } from "../agent/agent.ts";
import type { AgentRun } from "../agent/agent-run.ts";
import type { StreamsProcess } from "../agent/streams-process.ts";
import { LocalBackplane } from "../backplane/local.ts";
import { describeModule } from "../bundle/describe.ts";
import { Coordinator } from "../coordinator/coordinator.ts";
import type { RunCommands } from "../coordinator/run-commands.ts";
import type { RunController } from "../coordinator/run-controller.ts";
import type { RunEvents } from "../coordinator/run-events.ts";
import { runOver } from "../definition/inputs.ts";
import type { RunResult } from "../definition/run-result.ts";
import type { PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { StreamError } from "../errors.ts";
import type { GetRecord } from "../instance/large-record.ts";
import { serveControlSocket } from "../mmop/socket-link.ts";
import { recordKeys } from "../records/record-store.ts";
import { checkInstances } from "./check-instances.ts";
import { dataError, openDataDirectory } from "./data-directory.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { checkInput, type GivenInput, readInput, storedInput } from "./job-input.ts";
import { jobOutcome } from "./job-outcome.ts";
import { localLetters } from "./local-letters.ts";
import { lockRun } from "./lock-run.ts";
import { prune } from "./prune.ts";
import { Pushes } from "./pushes.ts";
import type { RunAddress } from "./run-address.ts";
import { isRefusedByBroker, retireQueues, runBroker } from "./run-broker.ts";
import { runResultOf } from "./run-result.ts";
import { chooseRun, type Resume, type RunManifest, RunStore } from "./run-store.ts";
import { openRuntimeDirectory } from "./runtime-directory.ts";
import type { Streams } from "./streams-url.ts";

export interface LocalRunOptions {
  readonly env: Env;
  /** Path or file: URL, `#export` behind it names an export. */
  readonly module: string;
  /** Not validated. */
  readonly params: Readonly<Record<string, unknown>>;
  /** Jobs: what split gets. */
  readonly input?: GivenInput;
  readonly data: string;
  readonly streams: Streams;
  /** So much of the disk is to stay free; 0: all of it may be used. Default: 256 MB, or 5 % of the disk. */
  readonly keepFreeBytes?: number;
  readonly instances: ReadonlyMap<string, number>;
  readonly resume: Resume;
  readonly version: string;
  /** Gives the start up while the module is being looked at; a run that has begun is for {@link LocalRun.stop}. */
  readonly signal?: AbortSignal;
  readonly display: AgentOptions["display"] & {
    onModuleOutput(stream: "stdout" | "stderr", line: string): void;
    /** It is known what the module exports. */
    onDescribed?(shape: PipelineShape): void;
    onStarted(run: LocalRun): void;
  };
}

/** A run on this machine: coordinator and agent in this process, streams and instances in processes of their own. */
export class LocalRun {
  readonly manifest: RunManifest;
  readonly isResumed: boolean;
  readonly controller: RunController;
  readonly pushes: Pushes;
  readonly dead: DeadLetters;
  readonly #finish: () => Promise<RunResult>;

  private constructor(
    manifest: RunManifest,
    isResumed: boolean,
    controller: RunController,
    pushes: Pushes,
    dead: DeadLetters,
    finish: () => Promise<RunResult>,
  ) {
    this.manifest = manifest;
    this.isResumed = isResumed;
    this.controller = controller;
    this.pushes = pushes;
    this.dead = dead;
    this.#finish = finish;
  }

  /** Starts or resumes a run. Throws a MillraceError that says what is wrong; nothing is left running then. */
  static async start(options: LocalRunOptions): Promise<LocalRun> {
    const { env } = options;
    const startedAt = env.clock.mono();
    const undo: (() => Promise<unknown>)[] = [];
    const unwind = async (): Promise<void> => {
      for (const step of undo.splice(0).reverse()) await step();
    };
    try {
      const { streams: where } = options;
      const isKept = where.kind !== "memory";
      const broker = await runBroker(env, where);
      const runtime = await openRuntimeDirectory(env);
      undo.push(() => env.disk.remove(runtime));
      const data = isKept ? await openDataDirectory(env, options.data) : runtime;
      const description = await describeModule(env, {
        module: options.module,
        params: options.params,
        outDirectory: join(data, "bundles"),
        onOutput: options.display.onModuleOutput,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      options.signal?.throwIfAborted();
      const { shape } = description;
      options.display.onDescribed?.(shape);
      checkInstances(options.instances, shape);
      const input = await readInput(env, data, shape, options.input);
      if (input !== undefined) undo.push(() => input.discard());
      const store = new RunStore(env, data);
      const resumed = chooseRun(isKept ? await store.list(shape.name) : [], {
        shape,
        params: description.params,
        ...(input && { input: input.identity }),
        resume: options.resume,
        streams: where,
      });
      const identity = input?.identity ?? resumed?.input;
      if (identity === undefined) checkInput(shape);
      const run = resumed?.run ?? store.newName();
      await env.disk.makeDirectory(store.directoryOf(shape.name, run));
      const lock = await lockRun(env, store, shape.name, run);
      undo.push(() => lock.release());
      await input?.place(store.directoryOf(shape.name, run));
      const manifest: RunManifest = {
        format: 1,
        run,
        pipeline: shape.name,
        status: "running",
        params: description.params,
        given: options.params,
        ...(identity && { input: identity }),
        shape,
        module: description.module,
        exportName: description.exportName,
        bundle: description.bundle.hash,
        createdAt: resumed?.createdAt ?? env.clock.now(),
        ...(broker && { streams: broker.address }),
      };
      await store.write(manifest);

      const onError = (error: Error): void =>
        options.display.onLog("control", "warn", error.message, undefined);
      const backplane = new LocalBackplane(env, { onError });
      undo.push(() => backplane.close());
      const boot = env.random.bytes(8).toString("hex");
      const agent = new Agent({
        env,
        backplane: backplane.connect("agent"),
        self: { name: "local", boot },
        version: options.version,
        runtimeDirectory: runtime,
        ...(broker && { broker }),
        display: options.display,
        onError,
      });
      undo.push(() => agent.stop());
      await agent.start();
      const coordinator = new Coordinator({
        env,
        backplane: backplane.connect("coordinator"),
        self: { name: "coordinator", boot },
        version: options.version,
        onError,
      });
      undo.push(() => coordinator.stop());
      await coordinator.start();
      await agent.join();
      const control = join(runtime, "control");
      const server = await serveControlSocket(
        env,
        control,
        (message) => coordinator.server.dispatch(message),
        {
          self: { name: "coordinator", boot },
        },
      );
      undo.push(() => server.close());

      const deployed = coordinator.deploy(
        { run, shape, agent: "local", instances: options.instances },
        {
          run,
          directory: store.directoryOf(shape.name, run),
          shape,
          params: description.params,
          ...(identity && { input: storedInput(identity, store.directoryOf(shape.name, run)) }),
          bundle: { ...description.bundle, exportName: description.exportName },
          engine: {
            kind: broker === undefined ? (where.kind as "file" | "memory") : "broker",
            durability: shape.durability,
            ...(options.keepFreeBytes !== undefined && { keepFreeBytes: options.keepFreeBytes }),
          },
        },
      );
      const controller = await deployed.catch((error: unknown) => {
        // n.b. or the next command, with the right broker, would have to tell it from a run that has begun.
        if (resumed === undefined && isRefusedByBroker(error))
          undo.unshift(() => env.disk.remove(store.directoryOf(shape.name, run)));
        throw error;
      });
      const agentRun = agent.run(run);
      const streams = agentRun?.streamsAddress;
      await lock.setNote(
        JSON.stringify({
          control,
          streams: streams?.socket ?? "",
          secret: streams?.secret ?? "",
        } satisfies RunAddress),
      );
      const pushes = new Pushes(env, shape, async () => {
        if (streams === undefined || controller.isOver) throw runOver(run, controller.status);
        return { socket: await env.net.connect(streams.socket), secret: streams.secret };
      });
      let ended = (): void => undefined;
      const dead = localLetters({
        env,
        found: { store, manifest },
        isKept,
        live: {
          request: (verb, ask) => streamsOf(agentRun).request(verb, ask),
          replay: (stage, ids) => controller.replay(stage, ids),
        },
        controller,
        over: new Promise<void>((resolve) => {
          ended = resolve;
        }),
      });
      const local = new LocalRun(manifest, resumed !== undefined, controller, pushes, dead, async () => {
        await controller.whenOver();
        pushes.fail(runOver(run, controller.status));
        const status = controller.status as RunResult["status"];
        const letters = await streamsOf(agentRun)
          .request("count", { prefix: recordKeys.deadLetters() })
          .catch(() => undefined);
        const result = runResultOf(
          run,
          shape,
          status,
          controller.stats,
          env.clock.mono() - startedAt,
          controller.error,
          letters?.count,
        );
        const get: GetRecord = async (key) => (await agent.run(run)?.streams.request("get", { key }))?.value;
        const outcome = await jobOutcome(shape, { status, errorCode: controller.error?.code }, get);
        if (broker !== undefined && status === "completed")
          await retireQueues(env, streamsOf(agentRun), { ...options.display, ...broker, run });
        // n.b. the streams close their files before the run is called completed: nothing can be lost after that.
        await agent.stop();
        await store.write({ ...manifest, status, endedAt: env.clock.now(), stages: result.stages });
        await unwind();
        if (isKept) await prune(env, store, shape.name);
        ended();
        return { ...result, ...outcome };
      });
      options.display.onStarted(local);
      return local;
    } catch (error) {
      await unwind().catch(() => undefined);
      throw dataError(error, options.data);
    }
  }

  /** See `Handle.close`. */
  async close(source: string): Promise<void> {
    await this.pushes.settled(source);
    await this.controller.commands.closeSource(source);
  }

  get commands(): RunCommands {
    return this.controller.commands;
  }

  get events(): RunEvents {
    return this.controller.events;
  }

  /** Drains the run, or with `now` ends it at once. */
  async stop(now: boolean): Promise<void> {
    await this.controller.stop(now);
  }

  #result: Promise<RunResult> | undefined;

  /** Resolves when the run is over and everything of it has ended. */
  result(): Promise<RunResult> {
    this.#result ??= this.#finish();
    return this.#result;
  }
}

function streamsOf(run: AgentRun | undefined): StreamsProcess {
  if (run === undefined) throw new StreamError("MR_STREAM_CLOSED", "streams process: it is stopped");
  return run.streams;
}
