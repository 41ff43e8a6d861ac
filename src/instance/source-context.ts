import type { Context, DrainReason, ItemInfo } from "../definition/context.ts";
import type { Logger } from "../definition/logger.ts";
import { UsageError } from "../errors.ts";
import { decodeStandalone } from "../wire/item-codec.ts";
import type { InstanceScope } from "./call-context.ts";

/** What a source, a setup or a hook gets: there is no item in hand. */
export class SourceContext implements Context {
  readonly #scope: InstanceScope;
  readonly #token: Uint8Array | undefined;
  readonly #onCheckpoint: ((token: unknown) => void) | undefined;
  readonly #abort = new AbortController();

  constructor(scope: InstanceScope, token?: Uint8Array, onCheckpoint?: (token: unknown) => void) {
    this.#scope = scope;
    this.#token = token;
    this.#onCheckpoint = onCheckpoint;
    // A source sees a drain by its signal as well: it may be waiting for something.
    this.onDrain((reason) => this.#abort.abort(new Error(`the instance is being drained: ${reason}`)));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
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
  get item(): ItemInfo {
    throw this.#noItem("item");
  }
  get items(): readonly ItemInfo[] {
    return [];
  }
  get resume(): unknown {
    return this.#token === undefined ? undefined : decodeStandalone(this.#token);
  }

  checkpoint(token: unknown): void {
    if (this.#onCheckpoint === undefined) throw this.#noItem("checkpoint()");
    if (token === undefined) {
      throw new UsageError(
        "MR_USAGE",
        `source ${this.stage}: checkpoint(undefined) says nothing; give a token`,
      );
    }
    this.#onCheckpoint(token);
  }

  fail(): void {
    throw this.#noItem("fail()");
  }
  failAt(): void {
    throw this.#noItem("failAt()");
  }

  progress(done: number, total?: number): void {
    this.#scope.onProgress(done, total);
  }

  onDrain(listener: (reason: DrainReason) => void): void {
    if (this.#scope.drainReason !== undefined) listener(this.#scope.drainReason);
    else this.#scope.drainListeners.push(listener);
  }

  #noItem(what: string): UsageError {
    return new UsageError(
      "MR_USAGE",
      `${this.stage}: ${what} is not to be had here: there is no item in hand`,
    );
  }
}
