import type { DrainReason } from "../definition/context.ts";
import type { NodeShape } from "../definition/shape.ts";
import { entryPath } from "../env/entry.ts";
import type { ChildProcess, Env } from "../env/env.ts";
import type { ErrorInfo } from "../errors.ts";
import type { FromInstance, InstanceStart, LogLevel, ToInstance } from "../instance/messages.ts";
import type { WatchReport } from "../instance/watch-state.ts";
import { heapFlags } from "./heap-flags.ts";

/** A stopped process reports nothing: after so long it is taken for dead. With a look a second, within 5 s. */
const SILENT_MS = 4_000;
/** A look that comes so late says that this process was stopped, and has not read what others have reported. */
const LATE_LOOK_MS = 2_500;
/** The main thread may be blocked outside a call for so long. */
const BLOCKED_MS = 5_000;
/** Before the first report: the process has to start, and the module to load. */
const STARTING_MS = 60_000;
/** After the grace of a drain the instance gets so long to say that its calls were aborted. */
const AFTER_GRACE_MS = 1_000;

/** How an instance's process ended, and what is known of why. */
export interface InstanceEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly cause:
    | "drained"
    | "source-done"
    | "crashed"
    | "killed"
    | "hung"
    | "setup-failed"
    | "source-failed";
  /** The item whose call outlived its time, where that is why; `unknown` when it is one of several in hand. */
  readonly culprit: Culprit | "unknown" | undefined;
  readonly error: ErrorInfo | undefined;
  /** Sources: whether anything was yielded before it threw. */
  readonly progressed: boolean;
  /** Whether it had begun to take items. */
  readonly wasRunning: boolean;
  /** What was seen of its end, in a few words. */
  readonly what: string;
}

interface Culprit {
  readonly frame: number;
  readonly place: number;
}

export interface InstanceProcessEvents {
  onRunning(): void;
  /** It has settled something: its next death is not one of a row. */
  onSettled(): void;
  onEnd(end: InstanceEnd): void;
  onOutput(stream: "stdout" | "stderr", line: string): void;
  onLog(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> | undefined): void;
  onProgress(done: number, total: number | undefined): void;
  onTrouble(error: ErrorInfo): void;
  /** The run cannot go on. */
  onRunFailed(error: ErrorInfo): void;
}

/** One process of an instance, from spawn to exit; watched all the while. */
export class InstanceProcess {
  readonly start: InstanceStart;
  readonly #env: Env;
  readonly #node: NodeShape;
  readonly #events: InstanceProcessEvents;
  #child: ChildProcess | undefined;
  #ended: "drained" | "source-done" | undefined;
  #failure: "setup-failed" | "source-failed" | undefined;
  #error: ErrorInfo | undefined;
  #progressed = false;
  #hung = false;
  #killed = false;
  #culprit: Culprit | "unknown" | undefined;
  #outgrownTo: number | undefined;
  #lastReportAt: number;
  #lastLookAt: number;
  #reported = false;
  #drain: ToInstance | undefined;
  #isPaused = false;
  isRunning = false;
  isDraining = false;

  constructor(env: Env, node: NodeShape, start: InstanceStart, events: InstanceProcessEvents) {
    this.start = start;
    this.#env = env;
    this.#node = node;
    this.#events = events;
    this.#lastReportAt = env.clock.mono();
    this.#lastLookAt = this.#lastReportAt;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Rejects when no process can be started. */
  async spawn(): Promise<void> {
    const child = await this.#env.processes.spawn({
      module: entryPath("instance/main.js"),
      // Not read by the process: they tell people, in a list of processes, which instance it is.
      args: [this.start.stage, this.start.instance],
      nodeFlags: ["--enable-source-maps", ...heapFlags(this.#node.settings.memoryBytes)],
      // n.b. a broker's password is none of the user code's business.
      environment: {
        MILLRACE_STAGE: this.start.stage,
        MILLRACE_RUN: this.start.run,
        MILLRACE_STREAMS: undefined,
      },
      onOutput: (stream, line) => this.#events.onOutput(stream, line),
      onMessage: (message) => this.#onMessage(message as FromInstance),
      onWatchdog: (line) => this.#onWatchdog(line),
      onExit: (exit) => this.#onExit(exit.code, exit.signal),
    });
    this.#child = child;
    child.send({ kind: "start", start: this.start } satisfies ToInstance);
    if (this.#isPaused) child.send({ kind: "pause", paused: true } satisfies ToInstance);
    if (this.#drain !== undefined) child.send(this.#drain);
    if (this.#killed || this.#hung) child.kill("SIGKILL");
  }

  #onMessage(message: FromInstance): void {
    switch (message.kind) {
      case "running":
        this.isRunning = true;
        this.#events.onRunning();
        return;
      case "ended":
        this.#ended = message.cause;
        return;
      case "setup-failed":
        this.#failure = "setup-failed";
        this.#error = message.error;
        return;
      case "source-failed":
        this.#failure = "source-failed";
        this.#error = message.error;
        this.#progressed = message.progressed;
        return;
      case "settled":
        this.#events.onSettled();
        return;
      case "stuck":
        this.#hang(message.item ?? "unknown");
        return;
      case "progress":
        this.#events.onProgress(message.done, message.total);
        return;
      case "trouble":
        this.#error = message.error;
        this.#events.onTrouble(message.error);
        return;
      case "run-failed":
        this.#events.onRunFailed(message.error);
        return;
      case "log":
        this.#events.onLog(message.level, message.message, message.fields);
    }
  }

  #onWatchdog(line: string): void {
    this.#lastReportAt = this.#env.clock.mono();
    this.#reported = true;
    let report: WatchReport;
    try {
      report = JSON.parse(line) as WatchReport;
    } catch {
      return;
    }
    if (report.outgrownTo !== undefined) this.#outgrownTo = report.outgrownTo;
    else if (report.hangs) this.#hang(this.isRunning ? culpritOf(report) : undefined);
    else if (!report.inCall && report.stuckMs > BLOCKED_MS && this.isRunning) this.#hang(undefined);
  }

  /** To be called every second: notices a process that says nothing any more. */
  check(): void {
    const now = this.#env.clock.mono();
    if (now - this.#lastLookAt > LATE_LOOK_MS) this.#lastReportAt = now;
    this.#lastLookAt = now;
    const silentMs = now - this.#lastReportAt;
    if (silentMs > (this.#reported ? SILENT_MS : STARTING_MS)) this.#hang(undefined);
  }

  #hang(culprit: Culprit | "unknown" | undefined): void {
    if (this.#hung || this.#killed) return;
    this.#hung = true;
    this.#culprit = culprit;
    this.#child?.kill("SIGKILL");
  }

  /** Asks it to finish what it has begun; killed when it has not ended some time after `graceMs`. */
  drain(reason: DrainReason, graceMs: number): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.#drain = { kind: "drain", reason, graceMs };
    this.#child?.send(this.#drain);
    this.#env.timers.after(
      graceMs + AFTER_GRACE_MS,
      () => {
        if (this.#child !== undefined && this.#ended === undefined) this.kill();
      },
      { background: true },
    );
  }

  /** A source waits before it yields again, or goes on. */
  pause(paused: boolean): void {
    this.#isPaused = paused;
    this.#child?.send({ kind: "pause", paused } satisfies ToInstance);
  }

  /** Tells its calls to end, and kills it after `graceMs`. */
  cancel(graceMs: number): void {
    if (!this.isRunning) {
      this.kill();
      return;
    }
    this.isDraining = true;
    this.#drain = { kind: "drain", reason: "cancelled", graceMs: 0 };
    this.#child?.send(this.#drain);
    const end = (): void => {
      if (this.#child !== undefined) this.kill();
    };
    this.#env.timers.after(graceMs, end, { background: true });
  }

  /** Ends it at once. What it held is given out again, and nobody is charged. */
  kill(): void {
    this.#killed = true;
    this.#child?.kill("SIGKILL");
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#child = undefined;
    const wasRunning = this.isRunning;
    this.isRunning = false;
    let cause: InstanceEnd["cause"] = "crashed";
    if (this.#ended !== undefined) cause = this.#ended;
    // Before its setup was over it had no item in hand. (A kill signal that is not ours came from outside.)
    else if (!wasRunning && (this.#hung || (!this.#killed && signal !== "SIGKILL"))) {
      cause = this.#failure ?? "setup-failed";
    } else if (this.#hung) cause = "hung";
    else if (this.#killed) cause = "killed";
    else if (this.#failure !== undefined) cause = this.#failure;
    this.#events.onEnd({
      code,
      signal,
      cause,
      culprit: this.#culprit,
      error: this.#error,
      progressed: this.#progressed,
      wasRunning,
      what: this.#whatEnded(code, signal),
    });
  }

  #whatEnded(code: number | null, signal: string | null): string {
    const exit = this.#hung
      ? "hanging, and was killed"
      : signal === null
        ? `exit code ${code}`
        : `signal ${signal}`;
    if (this.#outgrownTo !== undefined) {
      const mb = (bytes: number): string => `${Math.round(bytes / (1024 * 1024))} MB`;
      return `memory: it used ${mb(this.#outgrownTo)} of its ${mb(this.#node.settings.memoryBytes)}`;
    }
    return this.#error === undefined ? exit : `${exit} (${this.#error.name}: ${this.#error.message})`;
  }
}

function culpritOf({ frame, place }: WatchReport): Culprit | "unknown" {
  return frame < 0 ? "unknown" : { frame, place };
}
