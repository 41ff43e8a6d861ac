import type { DrainReason } from "../definition/context.ts";
import type { NodeShape } from "../definition/shape.ts";
import type { Env, Timer } from "../env/env.ts";
import type { ErrorInfo } from "../errors.ts";
import type { InstanceStart } from "../instance/messages.ts";
import { type InstanceEnd, InstanceProcess, type InstanceProcessEvents } from "./instance-process.ts";

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 30_000;
/** A process that worked for so long has earned a quick restart. */
const STEADY_MS = 10_000;
/** As many setups may fail in a row; see the coordinator's setbacks. */
const MAX_SETUP_FAILURES = 5;
const HOLD_MS = 5_000;
/** A drained instance that dies of its own teardown is not tried for ever. */
const MAX_DRAIN_DEATHS = 3;

export interface InstanceSlotOptions {
  readonly env: Env;
  readonly id: string;
  readonly node: NodeShape;
  readonly start: Omit<InstanceStart, "instance">;
  readonly events: Omit<InstanceProcessEvents, "onEnd">;
  /** A process has ended; resolves when what it held has been judged and may be worked on again. */
  onEnd(process: InstanceStart, end: InstanceEnd): Promise<void>;
  /** The slot is empty for good. */
  onOver(end: InstanceEnd): void;
}

/**
 * Keeps one instance of a stage alive: a process, and the next one when it dies, until it is drained or killed.
 * The first restart is immediate, then the wait doubles.
 */
export class InstanceSlot {
  readonly #options: InstanceSlotOptions;
  #current: InstanceProcess | undefined;
  #waitMs = 0;
  #waiting: Timer | undefined;
  #startedAt = 0;
  #drainDeaths = 0;
  /** Setups, or a source's starts, that failed in a row. */
  #failures = 0;
  #drain: { reason: DrainReason; graceMs: number } | undefined;
  #isOver = false;
  #isPaused = false;
  restarts = 0;
  readonly startedAtMs: number;
  lastError: ErrorInfo | undefined;

  constructor(options: InstanceSlotOptions) {
    this.#options = options;
    this.startedAtMs = options.env.clock.now();
  }

  get id(): string {
    return this.#options.id;
  }
  get stage(): string {
    return this.#options.start.stage;
  }
  get role(): InstanceStart["role"] {
    return this.#options.start.role;
  }
  get pid(): number | undefined {
    return this.#current?.pid;
  }
  /** The name of the process that is at work. */
  get instance(): string | undefined {
    return this.#current?.isRunning === true ? this.#current.start.instance : undefined;
  }
  get state(): "starting" | "running" | "draining" | "exited" {
    if (this.#isOver) return "exited";
    if (this.#drain !== undefined) return "draining";
    return this.#current?.isRunning === true ? "running" : "starting";
  }

  async launch(): Promise<void> {
    const { env, node, start, events } = this.#options;
    const instance = `${this.#options.id}.${this.restarts}`;
    const process = new InstanceProcess(
      env,
      node,
      { ...start, instance },
      {
        ...events,
        onRunning: () => {
          if (this.role !== "source") this.#failures = 0;
          events.onRunning();
        },
        onEnd: (end) => void this.#onEnd(process, end),
      },
    );
    this.#current = process;
    this.#startedAt = env.clock.mono();
    if (this.#isPaused) process.pause(true);
    if (this.#drain !== undefined) process.drain(this.#drain.reason, this.#drain.graceMs);
    await process.spawn();
  }

  async #onEnd(process: InstanceProcess, end: InstanceEnd): Promise<void> {
    const { env } = this.#options;
    this.lastError = end.error ?? this.lastError;
    this.#current = undefined;
    await this.#options.onEnd(process.start, end);
    const isWanted = end.cause !== "drained" && end.cause !== "source-done" && end.cause !== "killed";
    // Died of a drain: only at the end of its stage is there something left to be done, a teardown that is owed.
    const isOwed = this.#drain?.reason === "completed" && ++this.#drainDeaths <= MAX_DRAIN_DEATHS;
    if (this.#isOver || !isWanted || (this.#drain !== undefined && !isOwed)) {
      this.#over(end);
      return;
    }
    const isSteady = env.clock.mono() - this.#startedAt > STEADY_MS;
    // A suspect instance is expected to die: its next item need not wait for it.
    const waitMs = isSteady || this.role === "suspect" ? 0 : this.#waitMs;
    this.#waitMs = isSteady
      ? FIRST_WAIT_MS
      : Math.min(MAX_WAIT_MS, Math.max(FIRST_WAIT_MS, this.#waitMs * 2));
    this.restarts++;
    const jittered = this.#isGivenUp(end) ? HOLD_MS : waitMs * (0.5 + env.random.float() / 2);
    this.#waiting = env.timers.after(jittered, () => {
      this.#waiting = undefined;
      this.launch().catch(() => {
        void this.#onEnd(process, { ...end, cause: "crashed", error: undefined });
      });
    });
  }

  /** Whether the coordinator will most likely end the run for this: it is given time to, before another try. */
  #isGivenUp(end: InstanceEnd): boolean {
    if (end.cause === "setup-failed") return ++this.#failures >= MAX_SETUP_FAILURES;
    if (end.cause !== "source-failed") return false;
    this.#failures = end.progressed ? 1 : this.#failures + 1;
    return this.#failures >= this.#options.node.settings.retry.attempts;
  }

  #onOver: (() => void)[] = [];

  /** Resolves when the slot is empty for good. */
  whenOver(): Promise<void> {
    return this.#isOver ? Promise.resolve() : new Promise((resolve) => this.#onOver.push(resolve));
  }

  #over(end: InstanceEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const listener of this.#onOver.splice(0)) listener();
    this.#options.onOver(end);
  }

  /** It has done something: the next death is a first one. */
  steady(): void {
    this.#waitMs = 0;
  }

  /** Its stage is complete: nothing is in hand, only the teardown is left, and that may take as long as a call. */
  complete(): void {
    const { timeoutMs, graceMs } = this.#options.node.settings;
    this.drain("completed", timeoutMs + graceMs);
  }

  drain(reason: DrainReason, graceMs: number): void {
    if (this.#drain !== undefined) return;
    this.#drain = { reason, graceMs };
    if (this.#current !== undefined) this.#current.drain(reason, graceMs);
    else if (this.#waiting !== undefined) {
      // Between two processes: one is started at once, so that a teardown that is owed takes place.
      this.#waiting.cancel();
      this.#waiting = undefined;
      if (reason === "completed") void this.launch().catch(() => this.#over(NOTHING));
      else this.#over(NOTHING);
    }
  }

  /** A source waits before it yields again, also in its next process. */
  pause(paused: boolean): void {
    this.#isPaused = paused;
    this.#current?.pause(paused);
  }

  /** Its calls are told to end; killed after `graceMs`. Also while it is being drained. */
  cancel(graceMs: number): void {
    this.#drain ??= { reason: "cancelled", graceMs };
    if (this.#current === undefined) this.kill();
    else this.#current.cancel(graceMs);
  }

  kill(): void {
    this.#waiting?.cancel();
    this.#waiting = undefined;
    if (this.#current === undefined) this.#over(NOTHING);
    else this.#current.kill();
  }

  check(): void {
    this.#current?.check();
  }
}

const NOTHING: InstanceEnd = {
  code: null,
  signal: null,
  cause: "killed",
  culprit: undefined,
  error: undefined,
  progressed: false,
  wasRunning: false,
  what: "",
};
