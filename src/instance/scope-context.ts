import type { DrainReason } from "../definition/context.ts";
import type { Logger } from "../definition/logger.ts";
import type { Env } from "../env/env.ts";

/** What all calls of an instance share. */
export interface InstanceScope {
  readonly env: Env;
  readonly pipeline: string;
  readonly stage: string;
  readonly run: string;
  readonly params: unknown;
  readonly log: Logger;
  state: unknown;
  readonly drainListeners: ((reason: DrainReason) => void)[];
  /** Set when the instance has been asked to drain. */
  drainReason: DrainReason | undefined;
  onProgress(done: number, total: number | undefined): void;
}

/** The part of a context that is the same for everything that an instance calls. */
export abstract class ScopeContext {
  readonly #scope: InstanceScope;

  constructor(scope: InstanceScope) {
    this.#scope = scope;
  }

  get log(): Logger {
    return this.#scope.log;
  }
  get state(): unknown {
    return this.#scope.state;
  }
  get params(): unknown {
    return this.#scope.params;
  }
  get pipeline(): string {
    return this.#scope.pipeline;
  }
  get stage(): string {
    return this.#scope.stage;
  }
  get run(): string {
    return this.#scope.run;
  }

  progress(done: number, total?: number): void {
    this.#scope.onProgress(done, total);
  }

  onDrain(listener: (reason: DrainReason) => void): void {
    if (this.#scope.drainReason !== undefined) listener(this.#scope.drainReason);
    else this.#scope.drainListeners.push(listener);
  }
}
