import type { DrainReason } from "../definition/context.ts";
import type { Definition, NodeShape } from "../definition/shape.ts";
import type { Env, Socket } from "../env/env.ts";
import type { ErrorInfo } from "../errors.ts";
import { Instance } from "../instance/instance.ts";
import type { FromInstance } from "../instance/messages.ts";
import { newWatchState } from "../instance/watch-state.ts";

/** What may be done to an instance from outside: what the death of a process or a lost connection would do. */
export interface InProcessHandle {
  readonly stage: string;
  readonly id: string;
  /** Its connection breaks: what is in hand comes again, and it connects anew. */
  loseConnection(): void;
  /** It lets go of everything at once, without a teardown. Calls in flight go on; what they give back is dropped. */
  kill(what: string): void;
}

export interface InProcessInstanceOptions {
  readonly env: Env;
  readonly node: NodeShape;
  readonly id: string;
  readonly role: "worker" | "source" | "suspect";
  readonly run: string;
  readonly params: unknown;
  /** The split of a job: what it was given. */
  readonly input?: unknown;
  readonly secret: string;
  /** The definition that it runs. */
  definition(handle: InProcessHandle): Definition;
  connect(): Socket;
  onMessage(message: FromInstance): void;
  /** Its setup is good: it works. */
  onUp(): void;
}

/** How the life of an instance ended. `source-done`: it has yielded its last. */
export type InProcessEnd =
  | { readonly how: "drained" }
  | { readonly how: "source-done" }
  | {
      readonly how: "failed";
      readonly cause: string;
      readonly error?: ErrorInfo;
      readonly progressed: boolean;
    }
  | { readonly how: "killed"; readonly what: string };

/** One life of an instance inside this process. */
export class InProcessInstance implements InProcessHandle {
  readonly id: string;
  readonly stage: string;
  readonly role: InProcessInstanceOptions["role"];
  readonly #options: InProcessInstanceOptions;
  readonly #instance: Instance;
  #socket: Socket | undefined;
  #failure: FromInstance | undefined;
  #onKilled: ((what: string) => void) | undefined;

  constructor(options: InProcessInstanceOptions) {
    this.#options = options;
    this.id = options.id;
    this.stage = options.node.name;
    this.role = options.role;
    this.#instance = new Instance({
      env: options.env,
      definition: options.definition(this),
      run: options.run,
      stage: this.stage,
      instance: options.id,
      role: options.role,
      params: options.params,
      ...("input" in options && { input: { as: "given", value: options.input } }),
      bundle: "",
      secret: options.secret,
      watch: newWatchState(),
      abandonsStuckCalls: true,
      connect: async () => {
        this.#socket = options.connect();
        return this.#socket;
      },
      report: (message) => {
        if (message.kind === "setup-failed" || message.kind === "source-failed") this.#failure = message;
        options.onMessage(message);
      },
    });
  }

  /** From setup to teardown; a killed one has no teardown. */
  async live(): Promise<InProcessEnd> {
    const killed = new Promise<InProcessEnd>((resolve) => {
      this.#onKilled = (what) => resolve({ how: "killed", what });
    });
    const end = await Promise.race([this.#work(), killed]);
    if (end.how !== "killed") await this.#instance.end();
    return end;
  }

  async #work(): Promise<InProcessEnd> {
    if (!(await this.#instance.start())) return this.#failed("setup-failed");
    this.#options.onUp();
    if (this.role !== "source") {
      await this.#instance.whenDrained();
      return { how: "drained" };
    }
    const outcome = await this.#instance.runSource();
    return outcome === "failed" ? this.#failed("source-failed") : { how: outcome };
  }

  #failed(cause: string): InProcessEnd {
    const told = this.#failure;
    return {
      how: "failed",
      cause,
      progressed: told?.kind === "source-failed" && told.progressed,
      ...(told !== undefined && "error" in told ? { error: told.error } : {}),
    };
  }

  drain(reason: DrainReason): Promise<void> {
    return this.#instance.drain(reason);
  }

  /** Aborts its calls. */
  abort(): void {
    this.#instance.abort();
  }

  pause(paused: boolean): void {
    this.#instance.pause(paused);
  }

  loseConnection(): void {
    this.#socket?.destroy();
  }

  kill(what: string): void {
    this.#instance.die();
    this.loseConnection();
    this.#onKilled?.(what);
  }
}
