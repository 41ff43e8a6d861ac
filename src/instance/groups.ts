import type { Env, Timer } from "../env/env.ts";
import type { ItemRef } from "./work.ts";

/** A batch in the making or ready to be called. */
export interface Group {
  readonly refs: ItemRef[];
  readonly items: unknown[];
}

/**
 * Puts items together into batches: by size, by time since the first, by key where keys are to be kept apart.
 */
export class Groups {
  readonly #env: Env;
  readonly #size: number;
  readonly #withinMs: number;
  readonly #onReady: () => void;
  readonly #open = new Map<unknown, { group: Group; timer: Timer }>();
  readonly #ready: Group[] = [];

  constructor(env: Env, size: number, withinMs: number, onReady: () => void) {
    this.#env = env;
    this.#size = size;
    this.#withinMs = withinMs;
    this.#onReady = onReady;
  }

  /** The part batch that an item of this key would join. */
  openFor(key: unknown): Group | undefined {
    return this.#open.get(key)?.group;
  }

  /** Gives the batch that the item has joined. */
  add(key: unknown, ref: ItemRef, item: unknown): Group {
    let open = this.#open.get(key);
    if (open === undefined) {
      const timer = this.#env.timers.after(this.#withinMs, () => {
        this.#close(key);
        this.#onReady();
      });
      open = { group: { refs: [], items: [] }, timer };
      this.#open.set(key, open);
    }
    open.group.refs.push(ref);
    open.group.items.push(item);
    if (open.group.items.length >= this.#size) this.#close(key);
    return open.group;
  }

  #close(key: unknown): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    open.timer.cancel();
    this.#open.delete(key);
    this.#ready.push(open.group);
  }

  /** Makes all part batches ready: nothing more will come. */
  closeAll(): void {
    for (const key of [...this.#open.keys()]) this.#close(key);
  }

  take(): Group | undefined {
    return this.#ready.shift();
  }

  putBack(group: Group): void {
    this.#ready.unshift(group);
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  get isEmpty(): boolean {
    return this.#ready.length === 0 && this.#open.size === 0;
  }

  clear(): void {
    for (const { timer } of this.#open.values()) timer.cancel();
    this.#open.clear();
    this.#ready.length = 0;
  }
}
