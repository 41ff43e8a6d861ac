import type { Context, ItemInfo } from "../definition/context.ts";
import { UsageError } from "../errors.ts";
import { type InstanceScope, ScopeContext } from "./scope-context.ts";
import type { ItemRef } from "./work.ts";

class RefInfo implements ItemInfo {
  readonly #ref: ItemRef;
  readonly #stage: string;

  constructor(ref: ItemRef, stage: string) {
    this.#ref = ref;
    this.#stage = stage;
  }

  get id(): string {
    return this.#ref.range.frame.idOf(this.#ref.index);
  }
  get attempt(): number {
    return this.#ref.range.failuresOf(this.#ref.index) + 1;
  }
  get replay(): number {
    return this.#ref.range.frame.meta?.get(this.#ref.index)?.replay ?? 0;
  }
  get key(): string | undefined {
    return this.#ref.range.frame.meta?.get(this.#ref.index)?.key;
  }
  get headers(): Readonly<Record<string, string>> {
    return this.#ref.range.frame.meta?.get(this.#ref.index)?.headers ?? {};
  }
  get enqueuedAt(): number {
    const { frame } = this.#ref.range;
    return frame.meta?.get(this.#ref.index)?.enqueuedAt ?? frame.closedAt;
  }
  get idempotencyKey(): string {
    return `${this.id}/${this.#stage}`;
  }
}

/** The context of one call. Most calls look at none of it, so everything is made when it is asked for. */
export class CallContext extends ScopeContext implements Context {
  readonly #refs: readonly ItemRef[];
  readonly #items: readonly unknown[];
  #abort: AbortController | undefined;
  #abortReason: unknown;
  #infos: readonly ItemInfo[] | undefined;
  /** Items that the function failed by name, by place in the call. */
  failed: Map<number, unknown> | undefined;

  constructor(scope: InstanceScope, refs: readonly ItemRef[], items: readonly unknown[]) {
    super(scope);
    this.#refs = refs;
    this.#items = items;
  }

  abort(reason: unknown): void {
    this.#abortReason = reason;
    this.#abort?.abort(reason);
  }

  get isAborted(): boolean {
    return this.#abortReason !== undefined;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#abortReason !== undefined) this.#abort.abort(this.#abortReason);
    }
    return this.#abort.signal;
  }

  get items(): readonly ItemInfo[] {
    this.#infos ??= this.#refs.map((ref) => new RefInfo(ref, this.stage));
    return this.#infos;
  }

  get item(): ItemInfo {
    const [first] = this.items;
    if (first === undefined)
      throw new UsageError("MR_USAGE", `stage ${this.stage}: there is no item in hand here`);
    return first;
  }

  get resume(): unknown {
    return undefined;
  }

  checkpoint(): void {
    throw new UsageError(
      "MR_USAGE",
      `stage ${this.stage}: checkpoint() is for sources; a stage's items settle by themselves`,
    );
  }

  fail(item: unknown, error: unknown): void {
    const index = this.#items.indexOf(item);
    if (index < 0) {
      throw new UsageError(
        "MR_USAGE",
        `stage ${this.stage}: fail() got something that is not one of the items in hand (compared by identity); use failAt(index)`,
      );
    }
    this.failAt(this.failed?.has(index) === true ? this.#items.indexOf(item, index + 1) : index, error);
  }

  failAt(index: number, error: unknown): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.#items.length) {
      throw new UsageError(
        "MR_USAGE",
        `stage ${this.stage}: failAt(${index}) names no item; there are ${this.#items.length} in hand`,
      );
    }
    this.failed ??= new Map();
    this.failed.set(index, error);
  }
}
