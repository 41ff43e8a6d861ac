import type { DrainReason } from "../definition/context.ts";
import type { JobDefinition, NodeDefinition } from "../definition/shape.ts";
import type { Env } from "../env/env.ts";
import { ensureError } from "../errors.ts";
import type { ConnectionHandlers, StreamConnection } from "../streams/connection.ts";
import { CombineCalls } from "./combine-calls.ts";
import { CombineSession } from "./combine-session.ts";
import { LinkLost, RecordLink } from "./record-link.ts";
import type { InstanceScope } from "./scope-context.ts";
import { SourceContext } from "./source-context.ts";

const MAX_WAIT_MS = 500;

export interface CombineLoopOptions {
  readonly env: Env;
  readonly job: JobDefinition;
  readonly node: NodeDefinition;
  readonly scope: InstanceScope;
  readonly watch: Float64Array;
  connect(handlers: ConnectionHandlers, lost: number): Promise<StreamConnection>;
  onSettled(): void;
  onError(error: Error): void;
  onRunFailed(error: Error): void;
}

/** The life of the one instance of a job's combine: a session after the other, each over a connection of its own. */
export class CombineLoop {
  readonly #options: CombineLoopOptions;
  readonly #calls: CombineCalls;
  #session: CombineSession | undefined;
  #link: RecordLink | undefined;
  #hasFailed = false;
  #draining = false;
  #closed = false;
  #over: Promise<void> = Promise.resolve();
  #giveUp: () => void = () => undefined;

  constructor(options: CombineLoopOptions) {
    const { env, node, scope, watch } = options;
    this.#options = options;
    this.#calls = new CombineCalls(env, node, scope.pipeline, watch);
  }

  async start(): Promise<void> {
    await this.#connect();
    this.#over = this.#live();
  }

  async #live(): Promise<void> {
    while (this.#session !== undefined) {
      try {
        await this.#session.run();
      } catch (error) {
        if (!(error instanceof LinkLost) && !this.#closed) {
          this.#options.onError(ensureError(error));
          await this.#options.env.timers.sleep(MAX_WAIT_MS);
        }
      }
      this.#link?.end();
      this.#session = undefined;
      if (!this.#draining) await this.#connect();
    }
  }

  async #connect(): Promise<void> {
    const { env, job, node, scope, connect, onSettled, onRunFailed } = this.#options;
    for (let waitMs = 10; !this.#closed && !this.#draining; waitMs = Math.min(MAX_WAIT_MS, waitMs * 2)) {
      try {
        const link = await RecordLink.open(node.name, (handlers) => connect(handlers, 0));
        this.#link = link;
        this.#session = new CombineSession({
          env,
          job,
          name: scope.pipeline,
          stage: node.name,
          link,
          calls: this.#calls,
          context: new SourceContext(scope),
          hasFailed: () => this.#hasFailed,
          onSettled,
          onFailed: (error) => {
            this.#hasFailed = true;
            onRunFailed(error);
          },
        });
        if (this.#draining) this.#session.drain();
        return;
      } catch (error) {
        if (ensureError(error).message.includes("secret")) throw error;
        await env.timers.sleep(waitMs);
      }
    }
  }

  /** Stores what it has made so far and ends. What it was given and has not stored goes back. */
  async drain(_reason: DrainReason): Promise<void> {
    this.#draining = true;
    this.#session?.drain();
    const givenUp = new Promise<void>((resolve) => {
      this.#giveUp = resolve;
    });
    await Promise.race([this.#over, givenUp]);
    this.close();
  }

  /** A call of the user's that goes on is not waited for. */
  abort(_reason: unknown): void {
    this.#giveUp();
  }

  close(): void {
    this.#closed = true;
    this.#draining = true;
    this.#session?.drain();
    this.#link?.end();
  }
}
