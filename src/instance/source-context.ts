import type { Context, ItemInfo } from "../definition/context.ts";
import { SOURCE_ENV } from "../definition/source-env.ts";
import type { Env } from "../env/env.ts";
import { UsageError } from "../errors.ts";
import { decodeStandalone } from "../wire/item-codec.ts";
import { type InstanceScope, ScopeContext } from "./scope-context.ts";

/** What a source, a setup or a hook gets: there is no item in hand. */
export class SourceContext extends ScopeContext implements Context {
  readonly [SOURCE_ENV]: Env;
  readonly #token: Uint8Array | undefined;
  readonly #onCheckpoint: ((token: unknown) => void) | undefined;
  readonly #abort = new AbortController();

  constructor(scope: InstanceScope, token?: Uint8Array, onCheckpoint?: (token: unknown) => void) {
    super(scope);
    this[SOURCE_ENV] = scope.env;
    this.#token = token;
    this.#onCheckpoint = onCheckpoint;
    // A source sees a drain by its signal as well: it may be waiting for something.
    this.onDrain((reason) => this.#abort.abort(new Error(`the instance is being drained: ${reason}`)));
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
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

  #noItem(what: string): UsageError {
    return new UsageError(
      "MR_USAGE",
      `${this.stage}: ${what} is not to be had here: there is no item in hand`,
    );
  }
}
