import { entryPath } from "../env/entry.ts";
import type { ChildProcess, Env } from "../env/env.ts";
import { type ErrorInfo, ensureError, StreamError } from "../errors.ts";
import { StreamConnection, streamErrorOf } from "../streams/connection.ts";
import type { StreamsMessage, StreamsStart } from "../streams/main.ts";
import type { EngineSettings } from "../streams/open-engine.ts";
import {
  type ControlRequests,
  type OpenAsk,
  STREAM_PROTOCOL_VERSION,
  type StreamEvent,
} from "../streams/protocol.ts";

export interface StreamsProcessOptions {
  readonly env: Env;
  readonly engine: EngineSettings;
  readonly socket: string;
  readonly secret: string;
  /** What is to be opened, asked at each start. */
  open(): OpenAsk;
  onEvent(event: StreamEvent): void;
  onRestarted(boot: string, restarts: number): void;
  onFailed(error: Error): void;
  onOutput(line: string): void;
}

/** Deaths in a row, none of them living for so long, after which the run is given up. */
const MAX_QUICK_DEATHS = 10;
const QUICK_MS = 2_000;
/** So often it may die while it starts for the first time: what kills it then is more than an accident. */
const MAX_FIRST_DEATHS = 3;

/**
 * V8 counts buffers that were made since the last full collection as growth of the heap, and over a broker each frame is
 * several buffers beside a heap of few MB: without this it collected all of it every 15 MB, for a quarter of the process's time.
 */
const FLAGS_FOR_BUFFERS = ["--heap-growing-percent=400"];

/**
 * Keeps a run's streams process alive and talks to it. When it dies it is started again over the same data:
 * what it had confirmed is there, what it had given out comes again.
 */
export class StreamsProcess {
  readonly #options: StreamsProcessOptions;
  #child: ChildProcess | undefined;
  #connection: StreamConnection | undefined;
  /** It has started, and its end has not been seen: the connection may be gone before that. */
  #isServing = false;
  readonly #waiting: (() => void)[] = [];
  #restarts = 0;
  #quickDeaths = 0;
  #startedAt = 0;
  #stopping: (() => void) | undefined;
  #isOver = false;
  boot = "";
  damage: readonly string[] = [];

  constructor(options: StreamsProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, once more when it dies over that. Throws what opening the data threw. */
  async start(): Promise<void> {
    for (let deaths = 1; ; deaths++) {
      try {
        await this.#begin();
        return;
      } catch (error) {
        if (!isDeath(error) || deaths === MAX_FIRST_DEATHS || this.#isOver) throw error;
      }
    }
  }

  async #begin(): Promise<void> {
    const { env, engine, socket, secret } = this.#options;
    this.#startedAt = env.clock.mono();
    const ready = new Promise<string>((resolve, reject) => {
      void env.processes
        .spawn({
          module: entryPath("streams/main.js"),
          nodeFlags: ["--max-old-space-size=1024", ...(engine.kind === "broker" ? FLAGS_FOR_BUFFERS : [])],
          onOutput: (_stream, line) => this.#options.onOutput(line),
          onMessage: (message) => {
            const told = message as StreamsMessage;
            if (told.kind === "ready") resolve(told.boot);
            else reject(streamErrorOf(told.error as ErrorInfo));
          },
          onExit: (exit) => {
            const how = exit.signal ?? `exit code ${exit.code}`;
            reject(
              new StreamError("MR_STREAM_CLOSED", `streams process: it ended while it was starting (${how})`),
            );
            this.#onExit();
          },
        })
        .then((child) => {
          this.#child = child;
          // Stopped meanwhile: nobody would end it.
          if (this.#isOver) child.kill("SIGKILL");
          // n.b. a broker that is away when the run begins is an error; one that went away comes back.
          const settings = this.#restarts > 0 ? { ...engine, waits: true } : engine;
          child.send({ engine: settings, socket, secret } satisfies StreamsStart);
        }, reject);
    });
    try {
      this.boot = await ready;
      const child = this.#child;
      const connection = await StreamConnection.greet(
        await env.net.connect(socket),
        { version: STREAM_PROTOCOL_VERSION, role: "control", stage: "", instance: "agent", secret },
        { onEvent: (event) => this.#options.onEvent(event), onClose: () => this.#onUnheard(child) },
      );
      this.damage = (await connection.request("open", this.#options.open())).damage;
      this.#connection = connection;
      this.#isServing = true;
    } catch (error) {
      this.#child?.kill("SIGKILL");
      throw error;
    }
    this.#wakeAll();
  }

  /** Those who wait with a request look again whether there is a process to ask, or never will be. */
  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #onExit(): void {
    this.#child = undefined;
    const hadStarted = this.#isServing;
    this.#isServing = false;
    this.#connection = undefined;
    if (this.#stopping !== undefined) {
      this.#stopping();
      return;
    }
    if (!hadStarted || this.#isOver) return;
    const livedMs = this.#options.env.clock.mono() - this.#startedAt;
    this.#quickDeaths = livedMs < QUICK_MS ? this.#quickDeaths + 1 : 0;
    void this.#restart();
  }

  /** Its connection to us is gone: mostly it has died, and if not, nobody could tell it anything any more. */
  #onUnheard(child: ChildProcess | undefined): void {
    if (this.#isServing && !this.#isOver && child === this.#child) child?.kill("SIGKILL");
  }

  async #restart(): Promise<void> {
    const { env } = this.#options;
    while (!this.#isOver && this.#stopping === undefined) {
      this.#restarts++;
      await env.timers.sleep(Math.min(5_000, 10 * 2 ** this.#quickDeaths));
      if (this.#isOver || this.#stopping !== undefined) return;
      try {
        await this.#begin();
        this.#options.onRestarted(this.boot, this.#restarts);
        return;
      } catch (error) {
        if (++this.#quickDeaths >= MAX_QUICK_DEATHS) {
          this.#isOver = true;
          this.#wakeAll();
          this.#options.onFailed(ensureError(error));
          return;
        }
      }
    }
  }

  /** Asks it; while it is being restarted the question waits, and is put again if it died over the answer. */
  async request<Verb extends keyof ControlRequests>(
    verb: Verb,
    ask: ControlRequests[Verb]["ask"],
  ): Promise<ControlRequests[Verb]["answer"]> {
    for (;;) {
      const connection = this.#connection;
      if (connection === undefined) {
        if (this.#isOver || this.#stopping !== undefined) {
          throw new StreamError("MR_STREAM_CLOSED", "streams process: it is stopped");
        }
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve);
        });
        continue;
      }
      try {
        return await connection.request(verb, ask);
      } catch (error) {
        if (!(error instanceof StreamError) || error.code !== "MR_STREAM_CLOSED") throw error;
        // n.b. the exit is seen a moment after the connection is gone.
        await this.#options.env.timers.sleep(5);
        if (this.#connection === connection) this.#connection = undefined;
      }
    }
  }

  /** Lets it close its files and end; killed after `graceMs`. */
  async stop(graceMs = 5_000): Promise<void> {
    this.#isOver = true;
    const child = this.#child;
    if (child === undefined) {
      this.#wakeAll();
      return;
    }
    await new Promise<void>((resolve) => {
      const kill = this.#options.env.timers.after(graceMs, () => child.kill("SIGKILL"));
      this.#stopping = () => {
        kill.cancel();
        resolve();
      };
      if (!child.send("stop")) child.kill("SIGKILL");
    });
    this.#wakeAll();
  }
}

/** Whether the process has ended without a word, as opposed to saying why it cannot start. */
function isDeath(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === "MR_STREAM_CLOSED" || code === "ECONNREFUSED";
}
