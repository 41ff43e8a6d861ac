import type { DrainReason } from "../definition/context.ts";
import type { NodeShape, PipelineShape } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { type ErrorInfo, ensureError, MillraceError, RunError } from "../errors.ts";
import type { InstanceStart, LogLevel, StoredInput } from "../instance/messages.ts";
import type { InstanceReport } from "../mmop/reports.ts";
import type { EngineSettings } from "../streams/open-engine.ts";
import type { StreamEvent } from "../streams/protocol.ts";
import type { BrokerAccess } from "./broker-access.ts";
import type { InstanceEnd } from "./instance-process.ts";
import { InstanceSlot } from "./instance-slot.ts";
import { openingOf } from "./opening.ts";
import { blobsOf, engineOf } from "./run-engine.ts";
import { StreamsProcess } from "./streams-process.ts";
import { verdictOn } from "./verdict-on.ts";

export interface AgentRunSettings {
  readonly run: string;
  /** Where the run's data lies. */
  readonly directory: string;
  readonly shape: PipelineShape;
  readonly params: unknown;
  readonly bundle: { readonly path: string; readonly exportName: string; readonly hash: string };
  readonly engine: Pick<EngineSettings, "kind" | "durability" | "keepFreeBytes">;
  /** With an engine of kind `broker`. */
  readonly broker?: BrokerAccess;
  /** Jobs: what split gets. */
  readonly input?: StoredInput;
  /** A short folder of mode 0700 for sockets. */
  readonly runtimeDirectory: string;
}

/** What happens in a run on this machine, for the coordinator and for people. */
export interface AgentRunEvents {
  onInstanceStarted(slot: InstanceSlot): void;
  onInstanceEnded(slot: InstanceSlot, end: InstanceEnd): void;
  /** The last instance of a stage has ended in order. */
  onStageCompleted(stage: string): void;
  onStreamEmpty(stage: string): void;
  onSuspects(stage: string, count: number): void;
  onStreamsRestarted(boot: string, restarts: number): void;
  onEngineFailed(error: ErrorInfo): void;
  /** The engine's broker is away, or takes nothing; undefined: it is over, after so long. */
  onTrouble(what: string | undefined, forMs: number): void;
  onBreaker(stage: string, state: "open" | "closed" | "given-up", what: string): void;
  /** An instance says that the run cannot go on. */
  onRunFailed(stage: string, error: ErrorInfo): void;
  onOutput(stage: string, stream: "stdout" | "stderr", line: string): void;
  onLog(
    stage: string,
    level: LogLevel,
    message: string,
    fields: Readonly<Record<string, unknown>> | undefined,
  ): void;
  onProgress(stage: string, done: number, total: number | undefined): void;
}

/** One run on one machine: its streams process and its instances. */
export class AgentRun {
  readonly settings: AgentRunSettings;
  readonly slots = new Map<string, InstanceSlot>();
  readonly #env: Env;
  readonly #events: AgentRunEvents;
  readonly #streams: StreamsProcess;
  readonly #secret: string;
  readonly #socket: string;
  #suspectNumber = 0;
  #isOpened = false;
  #stopping = false;

  constructor(env: Env, settings: AgentRunSettings, events: AgentRunEvents) {
    this.#env = env;
    this.settings = settings;
    this.#events = events;
    this.#secret = env.random.bytes(16).toString("hex");
    this.#socket = `${settings.runtimeDirectory}/streams`;
    this.#streams = new StreamsProcess({
      env,
      engine: engineOf(settings),
      socket: this.#socket,
      secret: this.#secret,
      open: () => {
        const isFirst = !this.#isOpened;
        this.#isOpened = true;
        return openingOf(settings.shape, this.slots.values(), isFirst);
      },
      onEvent: (event) => this.#onStreamEvent(event),
      onRestarted: (boot, restarts) => events.onStreamsRestarted(boot, restarts),
      onFailed: (error) =>
        events.onEngineFailed({
          name: error.name,
          message: error.message,
          stack: error.stack ?? "",
          ...codeOf(error),
        }),
      onOutput: (line) => events.onOutput("streams", "stderr", line),
    });
  }

  async start(): Promise<{ boot: string; damage: readonly string[] }> {
    await this.#streams.start();
    // Items that were suspected in an earlier life of the run are waiting from the start.
    await this.#tendSuspects();
    return { boot: this.#streams.boot, damage: this.#streams.damage };
  }

  get streamsAddress(): {
    readonly socket: string;
    readonly secret: string;
    readonly pid: number | undefined;
  } {
    return { socket: this.#socket, secret: this.#secret, pid: this.#streams.pid };
  }

  get streams(): StreamsProcess {
    return this.#streams;
  }

  /** Starts an instance under this id; one that is there already is left as it is. */
  async startInstance(id: string, stage: string, role: InstanceStart["role"]): Promise<InstanceSlot> {
    const known = this.slots.get(id);
    if (known !== undefined) return known;
    const node = this.#nodeOf(stage);
    const slot: InstanceSlot = new InstanceSlot({
      env: this.#env,
      id,
      node,
      start: {
        run: this.settings.run,
        stage,
        role,
        bundle: this.settings.bundle,
        params: this.settings.params,
        ...(node.part === "split" && this.settings.input && { input: this.settings.input }),
        limitMs: node.settings.timeoutMs + node.settings.graceMs,
        memoryBytes: node.settings.memoryBytes,
        socket: this.#socket,
        secret: this.#secret,
        blobs: blobsOf(this.settings),
      },
      events: {
        onRunning: () => this.#events.onInstanceStarted(slot),
        onSettled: () => slot.steady(),
        onOutput: (stream, line) => this.#events.onOutput(stage, stream, line),
        onLog: (level, message, fields) => this.#events.onLog(stage, level, message, fields),
        onProgress: (done, total) => this.#events.onProgress(stage, done, total),
        onRunFailed: (error) => this.#events.onRunFailed(stage, error),
        onTrouble: ({ code, name, message }) =>
          this.#events.onLog(stage, "error", `${code ?? name}: ${message}`, undefined),
      },
      onEnd: (start, end) => this.#onInstanceEnd(slot, start, end),
      onOver: (end) => {
        this.slots.delete(id);
        const isPlain = end.cause === "drained" || end.cause === "source-done" || end.cause === "killed";
        // A slot that is given up because its process keeps dying while it drains is as good as killed.
        if (role !== "suspect")
          this.#events.onInstanceEnded(slot, isPlain ? end : { ...end, cause: "killed" });
        const isLast = ![...this.slots.values()].some(
          (other) => other.stage === stage && other.role !== "suspect",
        );
        if (isLast && role !== "suspect" && end.cause !== "killed") this.#events.onStageCompleted(stage);
      },
    });
    this.slots.set(id, slot);
    await slot.launch();
    return slot;
  }

  #nodeOf(stage: string): NodeShape {
    const node = this.settings.shape.nodes.find((known) => known.name === stage);
    if (node === undefined) {
      throw new RunError(
        "MR_RUN_UNKNOWN",
        `run ${this.settings.run}: its pipeline has no stage ${JSON.stringify(stage)}`,
      );
    }
    return node;
  }

  /** What an ended process held is judged before the next one may take it. */
  async #onInstanceEnd(slot: InstanceSlot, start: InstanceStart, end: InstanceEnd): Promise<void> {
    // A source that threw is restarted by the same slot; it has no items in hand to be judged.
    const isOver = end.cause === "drained" || end.cause === "source-done" || end.cause === "killed";
    if (!isOver && slot.role !== "suspect") this.#events.onInstanceEnded(slot, end);
    if (slot.role === "source") return;
    const isCombine = this.#nodeOf(slot.stage).part === "combine";
    const verdict = verdictOn(start, end, slot.state === "draining", isCombine);
    try {
      await this.#streams.request("verdict", verdict);
    } catch {
      // The streams process is gone for good: so are its claims.
    }
  }

  #onStreamEvent(event: StreamEvent): void {
    switch (event.kind) {
      case "suspects":
        this.#events.onSuspects(event.stage, event.count);
        void this.#tendSuspects();
        return;
      case "empty":
        this.#events.onStreamEmpty(event.stage);
        return;
      case "quarantined":
        this.#events.onLog(
          event.stage,
          "error",
          `${event.items} items of a damaged frame were set aside: ${event.problem}`,
          undefined,
        );
        return;
      case "breaker":
        this.#events.onBreaker(event.stage, event.state, event.what);
        return;
      case "disk":
        this.#events.onLog("streams", event.state === "low" ? "warn" : "info", event.what, undefined);
        return;
      case "trouble":
        this.#events.onTrouble(event.what, event.forMs);
        return;
      case "notice":
        this.#events.onLog(event.stage, "warn", event.message, undefined);
        return;
      case "engine-failed":
        this.#events.onEngineFailed(event.error);
    }
  }

  /** A suspect instance for each stage that has suspects; none where there are none. */
  async #tendSuspects(): Promise<void> {
    if (this.#stopping) return;
    let stats: Awaited<ReturnType<StreamsProcess["request"]>>;
    try {
      stats = await this.#streams.request("stats", {});
    } catch {
      return;
    }
    if (!("streams" in stats) || this.#stopping) return;
    for (const stream of stats.streams) {
      const slot = [...this.slots.values()].find(
        (s) => s.role === "suspect" && s.stage === stream.name && s.state !== "draining",
      );
      if (stream.suspects > 0 && slot === undefined) {
        const id = `${stream.name}.suspect-${++this.#suspectNumber}`;
        await this.startInstance(id, stream.name, "suspect").catch((error) =>
          this.#events.onLog(
            stream.name,
            "error",
            `no suspect instance could be started: ${ensureError(error).message}`,
            undefined,
          ),
        );
      } else if (stream.suspects === 0 && slot !== undefined) slot.drain("scaled", 1_000);
    }
  }

  /** To be called every second. */
  check(): void {
    for (const slot of this.slots.values()) slot.check();
    if ([...this.slots.values()].some((slot) => slot.role === "suspect")) void this.#tendSuspects();
  }

  drainInstance(id: string, reason: DrainReason, graceMs: number): boolean {
    const slot = this.slots.get(id);
    slot?.drain(reason, graceMs);
    return slot !== undefined;
  }

  report(): InstanceReport[] {
    return [...this.slots.values()].map((slot) => ({
      id: slot.id,
      run: this.settings.run,
      stage: slot.stage,
      role: slot.role,
      state: slot.state,
      pid: slot.pid ?? null,
      startedAtMs: slot.startedAtMs,
      restarts: slot.restarts,
      ...(slot.lastError === undefined ? {} : { lastError: slot.lastError }),
    }));
  }

  /** Ends all of it: what still runs is killed, the streams process closes its files. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const over: Promise<void>[] = [];
    for (const slot of this.slots.values()) {
      over.push(slot.whenOver());
      slot.kill();
    }
    await Promise.all(over);
    await this.#streams.stop();
  }
}

function codeOf(error: Error): { code?: string } {
  return error instanceof MillraceError ? { code: error.code } : {};
}
